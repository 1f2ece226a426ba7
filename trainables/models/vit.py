"""Vision transformers for images of 8, 16 and 32 pixels."""

from functools import partial

from timm.models.vision_transformer import VisionTransformer

from trainables.models.entry import register


def vit(
    side: int,
    patch: int,
    width: int,
    *,
    depth: int = 12,
    heads: int,
    mlp_ratio: int = 4,
    num_classes: int = 10,
    in_chans: int = 3,
) -> VisionTransformer:
    """A timm ViT without class token: the mean over the patches is classified.

    Args:
        side: pixels of the image; no other size fits the position embedding.
        patch: pixels of a patch's side.
        width: of every token.
        depth: blocks.
        heads: of every attention.
        mlp_ratio: hidden units of every block's MLP, in widths.
        num_classes: logits.
        in_chans: colours.
    """
    return VisionTransformer(
        img_size=side,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=mlp_ratio,
        class_token=False,
        global_pool="avg",
        num_classes=num_classes,
        in_chans=in_chans,
    )


register(
    "vit_pico_patch2_8",
    partial(vit, 8, 2, 32, depth=2, heads=2, mlp_ratio=2, in_chans=1),
    __name__,
)
register("vit_tiny_patch2_16", partial(vit, 16, 2, 192, heads=3), __name__)
register("vit_tiny_patch4_32", partial(vit, 32, 4, 192, heads=3), __name__)
register("vit_small_patch4_32", partial(vit, 32, 4, 384, heads=6), __name__)
