"""Order of the vertices of two boxes' intersection, for mmcv's differentiable IoU."""

import torch
from torch import Tensor

CORNERS = 8
"""Of the vertices, the first are the two boxes' corners, the others where edges cross."""
MOST_VERTICES = 8
"""Two rectangles have an octagon in common at most."""
COINCIDENT = 1e-6
"""Vertices at this share of the polygon's radius are one: so exact is mmcv's test of a corner."""


@torch.no_grad()
def sort_vertices(vertices: Tensor, valid: Tensor) -> Tensor:
    """Indices of the vertices round the polygon, as ``mmcv.ops.diff_iou_rotated`` gathers them.

    1. The valid vertices, by their angle about the origin, from x towards y.
    2. Of vertices that coincide only the first stays: the first box's corner before the second's.
       Equal boxes would have a gradient otherwise that no side of them has.
    3. Nine places take a polygon of eight and its first vertex again. If more are left, those with
       the least distance to the one before them go.
    4. Behind them the first again, which closes the polygon.
    5. The places left over, and all places of fewer than three vertices, show the first invalid
       crossing of edges: mmcv's are zero there, and so is their gradient.

    (``sort_indices`` in mmcv/ops/diff_iou_rotated.py; Zhou et al., "IoU Loss for 2D/3D Object
    Detection", 3DV 2019.)

    Args:
        vertices: B x N x 24 x 2, with the mean of the valid ones at the origin.
        valid: B x N x 24, bool.

    Returns:
        B x N x 9, int32.
    """
    angle = torch.atan2(vertices[..., 1], vertices[..., 0])
    ring = torch.where(valid, angle, torch.inf).argsort(dim=-1, stable=True)
    stays = _stays(ring, vertices, valid)
    ring = ring.gather(-1, (~stays).int().argsort(dim=-1, stable=True))
    count = stays.sum(-1, keepdim=True)
    nothing = CORNERS + valid[..., CORNERS:].int().argmin(-1, keepdim=True)
    place = torch.arange(MOST_VERTICES + 1, device=ring.device)
    closed = torch.where(place == count, ring[..., :1], ring[..., : MOST_VERTICES + 1])
    return torch.where((place <= count) & (count >= 3), closed, nothing).int()


def _stays(ring: Tensor, vertices: Tensor, valid: Tensor) -> Tensor:
    """Mask of the places in a ring of indices that are vertices of the polygon (rules 2 and 3)."""
    count = valid.sum(-1, keepdim=True)
    place = torch.arange(ring.shape[-1], device=ring.device)
    before = ring.gather(-1, torch.where(place == 0, count - 1, place - 1).clamp(min=0))
    points = _points(vertices, ring)
    gap = (points - _points(vertices, before)).norm(dim=-1)
    gap = torch.where(place < count, gap, -1)
    radius = torch.where(place < count, points.norm(dim=-1), 0).amax(-1, keepdim=True)
    rank = gap.argsort(dim=-1, descending=True, stable=True).argsort(-1)
    return (gap > COINCIDENT * radius) & (rank < MOST_VERTICES)


def _points(vertices: Tensor, indices: Tensor) -> Tensor:
    return vertices.gather(-2, indices[..., None].expand(*indices.shape, 2))
