"""Order of the vertices of two boxes' intersection, for mmcv's differentiable IoU."""

import torch
from torch import Tensor

CORNERS = 8
"""Of the vertices, the first are the two boxes' corners, the others where edges cross."""
MOST_VERTICES = 8
"""Two rectangles have an octagon in common at most."""


@torch.no_grad()
def sort_vertices(vertices: Tensor, valid: Tensor) -> Tensor:
    """Indices of the vertices round the polygon, as ``mmcv.ops.diff_iou_rotated`` gathers them.

    1. The valid vertices, by their angle about the origin, from x towards y. Vertices that coincide
       stand side by side, and the area between them is zero.
    2. Nine places take a polygon of eight and its first vertex again. More valid vertices than that
       are those of nearly equal boxes, of which several lie at each corner: those with the least
       distance to the one before them go.
    3. Behind them the first again, which closes the polygon.
    4. The places left over, and all places of fewer than three vertices, show the first invalid
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
    angle = torch.where(valid, angle, torch.inf)
    ring = angle.argsort(dim=-1, stable=True)
    ring = _without_the_nearest(ring, vertices, valid.sum(-1, keepdim=True))
    count = valid.sum(-1, keepdim=True).clamp(max=MOST_VERTICES)
    nothing = CORNERS + valid[..., CORNERS:].int().argmin(-1, keepdim=True)
    place = torch.arange(MOST_VERTICES + 1, device=ring.device)
    closed = torch.where(place == count, ring[..., :1], ring[..., : MOST_VERTICES + 1])
    return torch.where((place <= count) & (count >= 3), closed, nothing).int()


def _without_the_nearest(ring: Tensor, vertices: Tensor, count: Tensor) -> Tensor:
    """Move to the end of a ring what it has beyond eight vertices (rule 2)."""
    place = torch.arange(ring.shape[-1], device=ring.device)
    before = ring.gather(-1, torch.where(place == 0, count - 1, place - 1).clamp(min=0))
    distance = (_points(vertices, ring) - _points(vertices, before)).square().sum(-1)
    distance = torch.where(place < count, distance, -1)
    goes = distance.argsort(dim=-1, descending=True, stable=True).argsort(-1) >= MOST_VERTICES
    return ring.gather(-1, goes.int().argsort(dim=-1, stable=True))


def _points(vertices: Tensor, indices: Tensor) -> Tensor:
    return vertices.gather(-2, indices[..., None].expand(*indices.shape, 2))
