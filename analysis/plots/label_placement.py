"""Labels beside their points without overlap: a deterministic greedy search over positions around each point.

Everything is in one unit (points of 1/72 inch, or pixels) with y upwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DIRECTIONS = 24
_RINGS = (0.0, 4.0, 9.0, 15.0, 22.0, 30.0, 40.0, 52.0, 66.0, 82.0)  # gaps between circle and label, nearest first
_MARGIN = 1.5  # room kept free around a label
_MISLEADING = 5.0  # as bad as so much overlap: a label that seems to belong to another circle
_CROSSED = 40.0  # the same of a line from a circle to its label that runs through another label
_FAR = 6.0  # a label further from its circle is tied to it by a line
_STEPS = 12  # places along such a line that are looked at


@dataclass(frozen=True)
class Box:
    """An upright rectangle: left, bottom, right, top."""

    left: float
    bottom: float
    right: float
    top: float

    def grown(self, margin: float) -> "Box":
        """The same, larger by `margin` on each side."""
        return Box(self.left - margin, self.bottom - margin, self.right + margin, self.top + margin)

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.top - self.bottom)


@dataclass(frozen=True)
class Anchor:
    """A circle that wants a label of a size."""

    x: float
    y: float
    radius: float
    width: float
    height: float

    @property
    def box(self) -> Box:
        """The square around the circle."""
        return Box(self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius)


def place(anchors: Sequence[Anchor], bounds: Box, taken: Sequence[Box] = ()) -> list[Box]:
    """A box for each label, in the anchors' order: the nearest place that is free of circles, labels and `taken`.

    A place nearer to another circle than to the own one counts as not free, nor does one on the line from a circle to
    a label that is far from it. Crowded points choose first. Where no place is free, the one with the least overlap is
    taken.
    """
    circles = [anchor.box for anchor in anchors]
    chosen: dict[int, Box] = {}
    for index in sorted(range(len(anchors)), key=lambda i: -_crowding(anchors, i)):
        lines = [place for i, box in chosen.items() for place in line_to(anchors[i], box)]
        obstacles = [*circles, *taken, *chosen.values(), *lines]
        others = [anchor for i, anchor in enumerate(anchors) if i != index]
        chosen[index] = _best(anchors[index], bounds, obstacles, others, list(chosen.values()))
    return [chosen[index] for index in range(len(anchors))]


def _crowding(anchors: Sequence[Anchor], index: int) -> float:
    """How near the other points are, most for the middle of a crowd."""
    own = anchors[index]
    return sum(1 / (20 + math.hypot(own.x - a.x, own.y - a.y)) for a in anchors if a is not own)


def distance(anchor: Anchor, box: Box) -> float:
    """From the rim of a circle to a box; negative where they meet."""
    x, y = min(max(anchor.x, box.left), box.right), min(max(anchor.y, box.bottom), box.top)
    return math.hypot(x - anchor.x, y - anchor.y) - anchor.radius


def misleading(anchor: Anchor, box: Box, others: Sequence[Anchor]) -> bool:
    """Whether a label seems to belong to another circle, which is as near."""
    return any(distance(other, box) < distance(anchor, box) + 2 * _MARGIN for other in others)


def line_to(anchor: Anchor, box: Box) -> list[Box]:
    """Small boxes along the line from a circle's middle to a label that is far from it; none to one that is near."""
    if distance(anchor, box) <= _FAR:
        return []
    x, y = min(max(anchor.x, box.left), box.right), min(max(anchor.y, box.bottom), box.top)
    shares = [step / _STEPS for step in range(_STEPS)]
    points = [(anchor.x + share * (x - anchor.x), anchor.y + share * (y - anchor.y)) for share in shares]
    return [Box(px, py, px, py).grown(1.0) for px, py in points]


def _best(
    anchor: Anchor, bounds: Box, obstacles: Sequence[Box], others: Sequence[Anchor], labels: Sequence[Box]
) -> Box:
    best, least = _candidate(anchor, 0.0, 0), math.inf
    in_the_way, inside, named = _edges(obstacles), _edges([bounds]), _edges(labels)
    for gap in _RINGS:
        boxes = [_candidate(anchor, gap, direction) for direction in range(_DIRECTIONS)]
        rooms = [box.grown(_MARGIN) for box in boxes]
        outside = [room.area for room in rooms] - _overlaps(_edges(rooms), inside)
        # each part only adds: the later ones, which take longer, decide seldom
        for box, overlap in zip(boxes, 4 * outside + _overlaps(_edges(rooms), in_the_way), strict=True):
            if overlap < least:
                overlap += _MISLEADING * misleading(anchor, box, others)
            if overlap < least:
                overlap += _CROSSED * bool(_overlaps(_edges(line_to(anchor, box)), named).any())
            if overlap < least:
                best, least = box, overlap
        if least == 0:
            break
    return best


def _edges(boxes: Sequence[Box]) -> np.ndarray:
    """Left, bottom, right and top of each, (4, n)."""
    return np.array([(box.left, box.bottom, box.right, box.top) for box in boxes]).reshape(-1, 4).T


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The area that each box shares with all others together, (n,); from their edges, (4, n) and (4, m)."""
    low, high = np.maximum(boxes[:2, :, None], others[:2, None]), np.minimum(boxes[2:, :, None], others[2:, None])
    return np.maximum(high - low, 0.0).prod(axis=0).sum(axis=1)


def _candidate(anchor: Anchor, gap: float, direction: int) -> Box:
    """The label at a gap from the circle: right first, then turning to both sides alternately."""
    turn = (direction + 1) // 2 * (1 if direction % 2 else -1)
    angle = 2 * math.pi * turn / _DIRECTIONS
    reach = anchor.radius + gap + _MARGIN
    x = anchor.x + math.cos(angle) * (reach + anchor.width / 2)
    y = anchor.y + math.sin(angle) * (reach + anchor.height / 2)
    return Box(x - anchor.width / 2, y - anchor.height / 2, x + anchor.width / 2, y + anchor.height / 2)
