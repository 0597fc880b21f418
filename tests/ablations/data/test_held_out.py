"""What is held out: by name alone, never trained on, never a benchmark's."""

from pathlib import Path

import pytest

from safmn_bench.ablations.data.held_out import held_out
from safmn_bench.ablations.data.training_sets import embedded_training, open_training_sets
from safmn_bench.models.errors import UserError


def test_embedded_photographs_give_up_three_and_train_on_the_other_eight():
    kept, benchmark = held_out([embedded_training()], 4, share=0.2)
    names = {item.hr.stem for item in benchmark.items}
    assert names == {"coins", "gravel", "moon"}
    assert {item.name for item in kept[0].items} == {item.name for item in embedded_training().items} - names
    assert kept[0].note == "3 held out"


def test_the_same_images_are_held_out_in_whatever_order_they_come(tmp_path: Path, make_images):
    folder = make_images(tmp_path / "set", *(f"{i:03}.png" for i in range(20)))
    (one,) = open_training_sets([folder], 4)
    turned = type(one)(one.name, one.folder, tuple(reversed(one.items)), one.lr_given)
    first, second = (held_out([s], 4)[1] for s in (one, turned))
    assert [item.name for item in first.items] == [item.name for item in second.items]
    assert len(first.items) == 2


def test_no_more_than_asked_are_held_out(tmp_path: Path, make_images):
    folder = make_images(tmp_path / "set", *(f"{i:03}.png" for i in range(20)))
    assert len(held_out(open_training_sets([folder], 4), 4, share=0.5, most=3)[1].items) == 3


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0])
def test_a_share_out_of_range_is_refused(share: float):
    with pytest.raises(UserError, match="held-out share"):
        held_out([embedded_training()], 4, share=share)


def test_images_too_small_to_score_are_not_held_out(tmp_path: Path, make_images):
    make_images(tmp_path / "set", "small_a.png", "small_b.png", height=16, width=16)
    sets = open_training_sets([tmp_path / "set"], 4)
    with pytest.raises(UserError, match="Nothing can be held out of set"):
        held_out(sets, 4)
    make_images(tmp_path / "set", "large.png")
    assert [i.name for i in held_out(open_training_sets([tmp_path / "set"], 4), 4)[1].items] == ["set/large"]
