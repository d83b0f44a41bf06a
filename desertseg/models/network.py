"""The base of every network: a functional Keras model that is rebuilt from its constructor's arguments."""

from __future__ import annotations

import inspect
from typing import Any

import keras


class Network(keras.Model):
    """A functional model whose config holds the constructor's arguments, each an attribute of the same name.

    A subclass sets its arguments with `_remember` after `super().__init__(inputs=..., outputs=...)`. Arguments that are
    models are saved with their own config. `dtype` is a dtype policy or None for the global one; it is saved, so a
    network loads with the precision that it was built with, whatever the global policy is then.
    """

    def _remember(self, dtype: Any, **arguments: Any) -> None:
        # Keras forbids `self.dtype = ...`; its own attribute for it is dtype_policy.
        self.dtype_policy = keras.dtype_policies.get(dtype if dtype is not None else keras.config.dtype_policy())
        for name, value in arguments.items():
            setattr(self, name, value)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name == "self" or parameter.kind is inspect.Parameter.VAR_KEYWORD:
                continue
            if name == "dtype":
                config[name] = keras.dtype_policies.serialize(self.dtype_policy)
                continue
            value = getattr(self, name)
            if isinstance(value, keras.Model):
                value = keras.saving.serialize_keras_object(value)
            config[name] = list(value) if isinstance(value, (list, tuple)) else value
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Network:
        values = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            if isinstance(value, dict) and "class_name" in value
            else value
            for name, value in config.items()
        }
        return cls(**values)
