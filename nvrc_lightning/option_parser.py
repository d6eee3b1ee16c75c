"""The parser of `nvrc fit` and its kind: which classes a recipe may name, and mistakes in one line."""

from importlib import import_module
from typing import NoReturn

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.loggers import Logger

from nvrc_components.entropy_models import EntropyModel
from nvrc_components.errors import InputError
from nvrc_components.quantizers import Quantizer, Surrogate
from nvrc_lightning.data.datamodule import VideoDataModule
from nvrc_lightning.modules.losses import MseDistortion, RgbDistortion, YuvDistortion
from nvrc_lightning.modules.networks import Network
from nvrc_lightning.modules.video_codec import VideoCodec
from nvrc_lightning.option_errors import explain

__all__ = ["NvrcParser"]

# Whatever is imported can be named in a recipe without its module.
for _module in (
    "nvrc_lightning.callbacks.preview",
    "nvrc_lightning.callbacks.progress",
    "nvrc_lightning.callbacks.pruning",
    "nvrc_lightning.callbacks.rate_control",
    "nvrc_lightning.callbacks.rate_steps",
    "nvrc_lightning.callbacks.stages",
    "nvrc_lightning.callbacks.step_balance",
    "nvrc_lightning.callbacks.time_budget",
):
    import_module(_module)


_NAMEABLE: tuple[type, ...] = (
    VideoCodec,
    VideoDataModule,
    Network,
    Quantizer,
    EntropyModel,
    Surrogate,
    Callback,
    Logger,
    RgbDistortion,
    YuvDistortion,
    MseDistortion,
)


class NvrcParser(LightningArgumentParser):
    """A parser that reports a mistake in one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what is wrong with the options.

        Raises:
            InputError: always.
        """
        if not self.exit_on_error:  # a part of the whole: what encloses it has more to say
            super().error(message, ex)
        raise InputError(explain(message, self._known_options(), _known_classes())) from ex

    def _known_options(self) -> list[str]:
        """All options, of the commands too."""
        parsers = [self]
        for action in self._actions:
            parsers.extend((action.choices or {}).values() if isinstance(action.choices, dict) else [])
        return [text for parser in parsers for action in parser._actions for text in action.option_strings]


def _known_classes() -> list[str]:
    """Names of the classes that a recipe may use."""
    classes = list(_NAMEABLE)
    for cls in classes:  # grows while it is walked
        classes.extend(cls.__subclasses__())
    return [cls.__name__ for cls in classes if not cls.__name__.startswith("_")]
