"""The kinds of defects and of harmless changes, by name."""

import dataclasses
from collections.abc import Callable

import numpy as np

from input_pipeline.synthetic.defects import (
    controls,
    covers,
    dust,
    focus,
    ghosts,
    illumination,
    media,
    overlays,
    saved,
    shake,
)
from input_pipeline.synthetic.defects.defect import Base, Defect

Make = Callable[[Base, float, np.random.Generator], Defect]


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way in which a photograph goes wrong, or changes without harm."""

    make: Make
    cause: str  # one of `defect.CAUSES`, '' for what does no harm
    local: bool  # acts on a part of the field by nature
    family: str  # kinds that look alike: what is left out of training together


KINDS = {
    "cataract": Kind(media.cataract, "contrast", False, "media"),
    "haze": Kind(media.haze, "contrast", False, "media"),
    "vitreous": Kind(media.vitreous, "contrast", True, "media"),
    "asteroid": Kind(media.asteroid, "contrast", True, "media"),
    "defocus": Kind(focus.defocus, "sharpness", False, "blur"),
    "tilted_focus": Kind(focus.tilted_focus, "sharpness", True, "blur"),
    "sharpened_blur": Kind(focus.sharpened_blur, "sharpness", False, "blur"),
    "shake": Kind(shake.shake, "sharpness", False, "blur"),
    "double_image": Kind(shake.double_image, "sharpness", False, "blur"),
    "uneven": Kind(illumination.uneven, "illumination", True, "dark"),
    "small_pupil": Kind(illumination.small_pupil, "illumination", True, "dark"),
    "dark": Kind(illumination.dark, "illumination", False, "dark"),
    "dark_noise": Kind(illumination.dark_noise, "illumination", False, "noise"),
    "overexposed": Kind(illumination.overexposed, "illumination", False, "bright"),
    "overexposed_disc": Kind(illumination.overexposed_disc, "illumination", True, "bright"),
    "flash_reflex": Kind(ghosts.flash_reflex, "illumination", True, "stray light"),
    "ghosts": Kind(ghosts.ghosts, "illumination", True, "stray light"),
    "rim_crescent": Kind(ghosts.rim_crescent, "illumination", True, "stray light"),
    "rainbow": Kind(ghosts.rainbow, "illumination", True, "stray light"),
    "lid": Kind(covers.lid, "covered", True, "cover"),
    "lashes": Kind(covers.lashes, "covered", True, "cover"),
    "dust": Kind(dust.dust, "covered", True, "dirt"),
    "drops": Kind(dust.drops, "covered", True, "dirt"),
    "noise": Kind(illumination.noise, "sharpness", False, "noise"),
    "upscaled": Kind(focus.upscaled, "sharpness", False, "file"),
    "double_jpeg": Kind(saved.double_jpeg, "sharpness", False, "file"),
    "cut_frame": Kind(covers.cut_frame, "covered", True, "file"),
    "text": Kind(overlays.text, "covered", True, "file"),
}

CONTROLS = {
    name: Kind(make, "", False, "control")
    for name, make in {
        "gamma": controls.gamma,
        "gain": controls.gain,
        "cast": controls.cast,
        "red_free": controls.red_free,
        "little_noise": controls.little_noise,
        "resized": controls.resized,
        "sharpened": controls.sharpened,
        "haemorrhages": controls.haemorrhages,
        "exudates": controls.exudates,
        "pigment": controls.pigment,
        "tessellated": controls.tessellated,
        "laser_scars": controls.laser_scars,
    }.items()
}
