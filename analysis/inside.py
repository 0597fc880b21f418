"""Inside a network: its effective receptive field, and the spectra of its features and of its error.

receptive_field.csv: the side of the square around the centre that holds a share of the input's gradient, over noise and
over photographs (Luo et al. 2016). spectra.csv: power by radial frequency, of each block's features and of the error of
the SR image.

python analysis/inside.py --models safmn --scale 2 --weights safmn_x2.pth
python analysis/inside.py --models smfanet smfanet_plus --weights smfanet_x4.pth smfanet_plus_x4.pth --image Set14/HR
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Look into what the options name; tables and figures come out."""
    from safmn_bench.analysis.attribution.options import inside_arguments

    options = inside_arguments().read(argv)
    from safmn_bench.analysis.attribution.inside_command import look_inside, show, write
    from safmn_bench.analysis.attribution.inside_figure import draw_fields, draw_spectra, pages_of
    from safmn_bench.analysis.plots.style import save, style

    seen = look_inside(options)
    write(seen, options.out)
    with style():
        for number, page in enumerate(pages_of(seen), start=1):
            more = f"_{number}" if number > 1 else ""
            save(draw_fields(page), options.out, f"receptive_field{more}")
            save(draw_spectra(page), options.out, f"spectra{more}")
    show(seen)
    print(f"Written to {options.out}: receptive_field.csv, spectra.csv, and a figure of each (PDF, SVG, PNG).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
