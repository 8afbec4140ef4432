"""Both directions of the bi-directional attention in one pass over the visual tokens.

The plain formula, with ``S = clamp(X K' + b)``, ``drop`` applied or not::

    P = drop(softmax of S over the words of each head, padding left out)      [N, HL]
    T = drop(softmax of S over the visual tokens)                             [N, HL]
    visual = X + c + P V        pooled = T' X        mass = column sums of T

All scores at once are ``8 H L N`` bytes and more to keep for training. Here a tile of visual
tokens at a time is scored, read by both directions and forgotten; ``T`` is normalised as
flash attention does, with the running maximum of each word. Both directions share one exponential
of a tile whose scores are small, as nearly all are. Training computes a tile's scores again in
the backward pass: what it keeps is of the size of its arguments.

Letters: ``N`` visual tokens, ``C`` channels, ``L`` words, ``H`` heads, ``n`` tokens of a tile.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from glip_mm.ops.matrix_products import linear, transposed_product
from glip_mm.ops.number_format import product_type, without_autocast

from .text_layer import CLAMP

#: Scores of a tile: on a CPU they fit its cache, on a GPU they fill it.
TILE_SCORES = dict(cpu=1 << 20, cuda=1 << 26)
#: Fewer visual tokens make a product of matrices slow.
MIN_TILE = 64
#: Exponentials of scores of this magnitude, and their sums, are in the range of float32 and
#: bfloat16 as they are; float16 ends at an exponential of 11.
SMALL_SCORE = 60


def tiled_two_way_attention(visual: Tensor, keys: Tensor, key_bias: Tensor, values: Tensor,
                            constant: Tensor, mask: Tensor, num_heads: int,
                            dropout: float = 0.) -> tuple[Tensor, Tensor, Tensor]:
    """Let visual tokens read the words, and words the visual tokens.

    Under autocast the matrix products are in its type, and so are the scores of a prediction in
    bfloat16. Other scores and all sums are float32.

    Args:
        visual: ``[B, N, C]``.
        keys: ``[B, H L, C]``.
        key_bias: ``[B, H L]``.
        values: ``[B, H L, C]``.
        constant: ``[C]``.
        mask: ``[B, L]`` bool, real words.
        num_heads: ``H``.
        dropout: Probability on the weights of both directions.

    Returns:
        Visual tokens ``[B, N, C]`` in the type of ``visual``, what each word of each head has
        read, ``[B, H L, C]``, and the sum of its weights, ``[B, H L]`` (1 but for dropout), both
        float32.
    """
    device = visual.device.type
    dtype = product_type(visual)
    seed = int(torch.randint(1 << 62, ())) if dropout else 0
    with without_autocast(device):
        return _TwoWayAttention.apply(visual, keys, key_bias, values, constant, mask, num_heads,
                                      dropout, seed, dtype)


class _Image:
    """One image of a batch, tile by tile."""

    def __init__(self, keys: Tensor, key_bias: Tensor, mask: Tensor, num_heads: int,
                 dropout: float, seed: int, dtype: torch.dtype, learns: bool = True) -> None:
        self.keys, self.key_bias = keys.to(dtype), key_bias.to(dtype)
        # a GPU would be waited for; there a mask costs less than that
        self.hidden = None if mask.device.type == 'cpu' and bool(mask.all()) else ~mask
        self.num_heads, self.keep, self.seed, self.dtype = num_heads, 1 - dropout, seed, dtype
        #: of sums
        self.wide = torch.promote_types(dtype, torch.float32)
        #: of scores and what is made of them, rounded by the product that they come from
        self.score_type = (torch.bfloat16 if dtype == torch.bfloat16 and not learns
                           else self.wide)

    def tiles(self, num_tokens: int) -> Iterator[slice]:
        """Return the ranges of visual tokens of the tiles."""
        device = self.keys.device.type
        most = TILE_SCORES.get(device, TILE_SCORES['cuda']) // len(self.keys)
        length = max(most, MIN_TILE)
        return (slice(i, i + length) for i in range(0, num_tokens, length))

    def scores(self, tokens: Tensor) -> Tensor:
        """Compute ``S`` of a tile before the clamp, ``[n, H L]``."""
        return linear(tokens, self.keys, self.key_bias).to(self.score_type)

    def weights(self, scores: Tensor, small: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Compute ``P`` before dropout, and ``exp(S - top)`` for a ``top`` of each word.

        Args:
            scores: ``[n, H L]``; overwritten.
            small: All are smaller than :data:`SMALL_SCORE`.

        Returns:
            Both ``[n, H L]``, and ``top``, ``[H L]``.
        """
        heads = scores.view(len(scores), self.num_heads, -1)  # [n, H, L]
        if small:
            heads.exp_()
            words = heads if self.hidden is None else heads.masked_fill(self.hidden, 0)
            words = words * words.sum(dim=2, keepdim=True).reciprocal_()
            return words.view_as(scores), scores, scores.new_zeros(scores.shape[1])
        scores.clamp_(-CLAMP, CLAMP)
        if self.hidden is not None:
            heads = heads.masked_fill(self.hidden, -torch.inf)
        words, top = heads.softmax(dim=2).view_as(scores), scores.amax(dim=0)
        return words, scores.sub_(top).exp_(), top

    def are_small(self, scores: Tensor) -> bool:
        """Return True if all exponentials of a tile's scores are in range."""
        return self.dtype != torch.float16 and all_small(scores)

    def factors(self, scores: Tensor, tile: slice) -> tuple[Tensor | None, Tensor | None]:
        """Draw dropout's 0 or 1 / keep for both directions, the same at each call for a tile."""
        if self.keep == 1:
            return None, None
        generator = torch.Generator(scores.device).manual_seed(self.seed + tile.start)
        first, second = (random_mask(scores, self.keep, generator).to(self.wide)
                         .div_(self.keep or 1) for _ in range(2))
        return first, second


def all_small(scores: Tensor) -> bool:
    """Return True if all are smaller than :data:`SMALL_SCORE`, which no GPU is asked."""
    if scores.device.type != 'cpu':
        return False
    low, high = scores.aminmax()
    return -SMALL_SCORE < float(low) and float(high) < SMALL_SCORE  # not so if one is no number


def random_mask(like: Tensor, keep: float, generator: torch.Generator) -> Tensor:
    """Draw a mask of the shape of ``like``, True with probability ``keep``.

    On a CPU ``bernoulli_`` draws 64 bits for each; here 16 have to do, seven times as fast. The
    probability is then ``keep`` to within 1 / 131,072.
    """
    if like.device.type != 'cpu':
        return torch.empty_like(like).bernoulli_(keep, generator=generator).bool()
    if not keep:
        return torch.zeros_like(like, dtype=torch.bool)
    drawn = torch.empty(-(-like.numel() // 4), dtype=torch.int64)
    drawn.random_(-2**63, None, generator=generator)
    return (drawn.view(torch.int16)[:like.numel()] <= round(keep * 65536) - 32769).view_as(like)


def _times(x: Tensor, factor: Tensor | None) -> Tensor:
    return x if factor is None else x * factor


class _TwoWayAttention(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, visual: Tensor, keys: Tensor, key_bias: Tensor, values: Tensor,
                constant: Tensor, mask: Tensor, num_heads: int, dropout: float, seed: int,
                dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        ctx.settings = num_heads, dropout, seed, dtype
        out = torch.empty_like(visual, memory_format=torch.contiguous_format)
        rows: list[tuple[Tensor, Tensor, Tensor]] = []
        for b in range(len(visual)):
            image = _Image(keys[b], key_bias[b], mask[b], num_heads, dropout, seed + b, dtype,
                           any(ctx.needs_input_grad))
            rows.append(_forward_image(image, visual[b], values[b].to(dtype), constant.to(dtype),
                                       out[b]))
        pooled, mass, norm = map(torch.stack, zip(*rows))
        ctx.save_for_backward(visual, keys, key_bias, values, mask, pooled, mass, norm)
        return out, pooled, mass

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor, grad_pooled: Tensor,
                 grad_mass: Tensor) -> tuple[Any, ...]:
        visual, keys, key_bias, values, mask, pooled, mass, norm = ctx.saved_tensors
        num_heads, dropout, seed, dtype = ctx.settings
        with without_autocast(visual.device.type):
            grads: list[tuple[Tensor, ...]] = []
            for b in range(len(visual)):
                image = _Image(keys[b], key_bias[b], mask[b], num_heads, dropout, seed + b, dtype)
                # sum over the tokens of T dT, of which the softmax's backward takes T times
                inner = (grad_pooled[b] * pooled[b]).sum(dim=1) + grad_mass[b] * mass[b]
                grads.append(_backward_image(image, visual[b], values[b].to(dtype), norm[b],
                                             grad_out[b], grad_pooled[b].to(dtype), grad_mass[b],
                                             inner))
            rows = [torch.stack(column) for column in zip(*grads)]
        like = visual, keys, key_bias, values
        return (*(row.to(x.dtype) for row, x in zip(rows, like)),
                grad_out.sum(dim=(0, 1)), None, None, None, None, None)


def _forward_image(image: _Image, visual: Tensor, values: Tensor, constant: Tensor,
                   out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    size = len(image.keys)
    top = visual.new_full((size,), -torch.inf, dtype=image.wide)
    total, mass = torch.zeros_like(top), torch.zeros_like(top)
    pooled = top.new_zeros(visual.shape[1], size).t()  # as the products are in memory
    for tile in image.tiles(len(visual)):
        tokens = visual[tile].to(image.dtype)
        scores = image.scores(tokens)
        drop_words, drop_tokens = image.factors(scores, tile)
        words, weights, here = image.weights(scores, image.are_small(scores))
        words = _times(words, drop_words).to(image.dtype)
        torch.add(linear(words, values.t(), constant), visual[tile], out=out[tile])

        share = dropped_share = weights.sum(dim=0)
        if drop_tokens is not None:
            weights = weights * drop_tokens
            dropped_share = weights.sum(dim=0)
        new_top = torch.maximum(top, here)
        shrink, grow = (top - new_top).exp_(), (here - new_top).exp_()
        total = total * shrink + share * grow
        mass = mass * shrink + dropped_share * grow
        pooled *= shrink[:, None]
        pooled.addcmul_(transposed_product(weights.to(image.dtype), tokens), grow[:, None])
        top = new_top
    return pooled / total[:, None], mass / total, top + total.log()


def _backward_image(image: _Image, visual: Tensor, values: Tensor, norm: Tensor, grad_out: Tensor,
                    grad_pooled: Tensor, grad_mass: Tensor, inner: Tensor) -> tuple[Tensor, ...]:
    grad_visual = torch.empty_like(visual, dtype=image.wide)
    grad_keys = torch.zeros_like(image.keys, dtype=image.wide)
    grad_values, grad_bias = torch.zeros_like(grad_keys), torch.zeros_like(norm)
    for tile in image.tiles(len(visual)):
        tokens, above = visual[tile].to(image.dtype), grad_out[tile].to(image.dtype)
        scores = image.scores(tokens)
        drop_words, drop_tokens = image.factors(scores, tile)

        small = image.are_small(scores)
        clamped = None if small else scores.abs() >= CLAMP
        words, weights, here = image.weights(scores, small)
        grad_values += transposed_product(_times(words, drop_words).to(image.dtype), above)
        grad = _times(linear(above, values).to(image.wide), drop_words).mul_(words)  # P dP
        heads = grad.view(len(scores), image.num_heads, -1)
        heads -= words.view_as(heads) * heads.sum(dim=2, keepdim=True)

        weights *= (here - norm).exp_()
        dropped = _times(weights, drop_tokens).to(image.dtype)
        grad_visual[tile] = linear(dropped, grad_pooled.t()).add_(above)
        from_text = linear(tokens, grad_pooled).to(image.wide) + grad_mass
        grad += weights.mul_(_times(from_text, drop_tokens).sub_(inner))

        if clamped is not None:
            grad.masked_fill_(clamped, 0)
        grad_bias += grad.sum(dim=0)
        grad = grad.to(image.dtype)
        grad_keys += transposed_product(grad, tokens)
        grad_visual[tile] += linear(grad, image.keys.t())
    return grad_visual, grad_keys, grad_bias, grad_values
