"""Every number of the training recipe → one value that is printed, stored and tested."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How ``its-yolo11n`` is trained; the defaults are the shipped release.

    Attributes:
        seed: Seeds the split, the repeats, the augmentation and the trainer.
        epochs: Passes over the mix.
        batch: Images per optimiser step.
        image_px: Side of the square training input.
        learning_rate: Peak rate of AdamW, reached after the warm-up.
        final_rate_share: Share of the peak rate left at the end (cosine).
        warmup_epochs: Epochs of linear warm-up from zero.
        weight_decay: Decoupled weight decay.
        average_steps: Horizon of the moving average of the weights, in steps.
        frozen_layers: First layers of the backbone that keep their weights.
        selection_share: Share of each training set held out, by real frame, to choose alpha.
        repeat_below: Classes on fewer than this share of the images are repeated
            (Gupta et al. 2019, LVIS, repeat factor sampling).
        night_repeat: How often a dark frame is shown compared with a day frame.
        tile_share: How often each half of a wide frame is shown, before the repeats.
        dark_below: Mean grey value (0-255) under which a frame counts as dark.
        unlabelled_score: Teacher score from which a class nobody labelled is filled in.
        missed_score: The same for a labelled class in a place without any label.
        low_resolution: Probability that a frame becomes a small, heavily compressed one.
        night: Probability that a day frame becomes a night frame with headlights.
        noise: Probability of blur, sensor noise or a change of exposure.
        mosaic: Probability of a four-image mosaic (small, cut objects).
        scale: Random zoom of 1 ± this.
        extra_share: Largest share of the mix that extra (simulated) folders may have.
        alphas: Interpolation weights that are tried (0 = start, 1 = fine-tuned).
    """

    seed: int = 0
    epochs: int = 2
    batch: int = 16
    image_px: int = 416
    learning_rate: float = 8e-5
    final_rate_share: float = 0.05
    warmup_epochs: float = 0.25
    weight_decay: float = 5e-4
    average_steps: int = 50
    frozen_layers: int = 3
    selection_share: float = 0.12
    repeat_below: float = 0.4
    night_repeat: float = 1.5
    tile_share: float = 0.75
    dark_below: float = 60.0
    unlabelled_score: float = 0.3
    missed_score: float = 0.5
    low_resolution: float = 0.3
    night: float = 0.12
    noise: float = 0.2
    mosaic: float = 0.4
    scale: float = 0.5
    extra_share: float = 0.1
    alphas: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1 and runs without a step."""
        if self.epochs < 1 or self.batch < 1 or self.image_px % 32:
            raise ValueError(
                f"{self.epochs} epochs of batch {self.batch} at {self.image_px} px, expected at "
                "least one of each and a multiple of 32"
            )
        for name in ("selection_share", "low_resolution", "night", "noise", "mosaic"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 1")

    def as_dict(self) -> dict[str, object]:
        """Plain values for a card or a JSON file."""
        return asdict(self)
