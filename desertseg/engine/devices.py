"""Which devices train: one, several of this host, or those of several hosts. Each holds the state and shares the batch.

Only the training step lives on all of them. What it leaves is shown to each host as arrays of its own devices, so that
scoring, saving and all that is not the step runs on each host as if it were alone.
"""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from desertseg.errors import UserError

_CANNOT = 255  # what a host says that cannot go on; others say the number of a signal, or 0
_LAG = 4  # calls that an answer of all hosts is behind, so that no step waits for it


class Devices:
    """The devices of a training; without arguments the one that the backend computes on by itself.

    Args:
        here: JAX devices of this host.
        everywhere: those of all hosts, in their order, as many of each.

    Attributes:
        count: devices on all hosts.
        hosts, host: how many processes train, and which of them this is, from 0.
    """

    def __init__(self, here: list | None = None, everywhere: list | None = None) -> None:
        self._here, self._everywhere = here or [], everywhere or []
        self.count = max(1, len(self._everywhere))
        self.hosts = self.count // max(1, len(self._here))
        self.host = self._here[0].process_index if self.hosts > 1 else 0
        self._votes: deque[Any] = deque()
        self._failure: UserError | None = None

    @property
    def first(self) -> bool:
        """Whether this host writes the run and tells of it."""
        return self.host == 0

    @property
    def shard(self) -> tuple[int, int]:
        """(host, hosts), as `load_dataset` takes it."""
        return self.host, self.hosts

    def __str__(self) -> str:
        devices = f"{self.count} device{'s' if self.count > 1 else ''}"
        return f"{devices} on {self.hosts} hosts" if self.hosts > 1 else devices

    # How arrays lie on the devices.

    @cached_property
    def _global(self) -> keras.distribution.DataParallel:
        return keras.distribution.DataParallel(devices=self._everywhere, auto_shard_dataset=False)

    @cached_property
    def _local(self) -> keras.distribution.DataParallel:
        return keras.distribution.DataParallel(devices=self._here, auto_shard_dataset=False)

    @cached_property
    def replicated(self) -> Any:
        """The sharding of what every device has, None on one device."""
        return _replicated(self._global) if self.count > 1 else None

    def share(self, batch: Any) -> Any:
        """Return a tree of this host's rows as arrays of the whole batch, each device holding its rows."""
        if self.count == 1:
            return batch
        import jax

        rows = _rows(self._global)
        return jax.tree.map(lambda x: jax.make_array_from_process_local_data(rows, np.asarray(x)), batch)

    def share_here(self, array: Any) -> Any:
        """Return an array with its rows on the devices of this host, which their number can be divided by."""
        if len(self._here) <= 1:
            return array
        import jax

        return jax.device_put(array, _rows(self._local))

    def by_rows(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a traced function of batches, to a batch, that each device computes of its own rows alone."""
        if self.count == 1:
            return function
        import jax

        rows = _rows(self._global)
        return jax.shard_map(function, mesh=rows.mesh, in_specs=rows.spec, out_specs=rows.spec, check_vma=False)

    def spread(self, values: Any) -> Any:
        """Return a tree of this host's arrays, equal on all hosts, as arrays that every device has."""
        if self.count == 1:
            return values
        import jax

        values = jax.device_put(values, _replicated(self._local))
        return values if self.hosts == 1 else jax.tree.map(lambda x: _regrouped(x, self.replicated), values)

    def own(self, values: Any) -> Any:
        """Return what `spread` was given, without copying."""
        if self.hosts == 1:
            return values
        import jax

        here = _replicated(self._local)
        return jax.tree.map(lambda x: _regrouped(x, here), values)

    def round_up(self, batch_size: int) -> int:
        """Return the smallest batch from `batch_size` on that this host's devices can share."""
        devices = max(1, len(self._here))
        return -(-batch_size // devices) * devices

    # What hosts tell each other.

    def exchange(self, data: bytes) -> list[bytes]:
        """Return what every host gave, as many bytes from each, in their order; all hosts must call it. It waits."""
        if self.hosts == 1:
            return [data]
        from jax.experimental import multihost_utils

        rows = multihost_utils.process_allgather(np.frombuffer(data, np.uint8))
        return [np.asarray(row, np.uint8).tobytes() for row in rows]

    def total(self, array: np.ndarray) -> np.ndarray:
        """Return the sum of the hosts' arrays in their own type: through bytes, as JAX has no 64-bit integers."""
        rows = self.exchange(np.ascontiguousarray(array).tobytes())
        return np.sum([np.frombuffer(row, array.dtype).reshape(array.shape) for row in rows], axis=0, dtype=array.dtype)

    @contextmanager
    def together(self) -> Iterator[None]:
        """End all hosts where one finds something that the user must mend; else they would wait for it for ever."""
        error: UserError | None = None
        try:
            yield
        except UserError as found:
            error = found
        answers = self.exchange(bytes([error is not None]))
        if error is not None:
            raise error
        self._refuse([k for k, answer in enumerate(answers) if answer[0]])

    @contextmanager
    def linked(self, folder: Path) -> Iterator[None]:
        """Say in a line that a host has gone, on which JAX fails in its own words where the next sum is taken."""
        try:
            yield
        except RuntimeError as error:
            if self.hosts == 1 or type(error).__name__ != "JaxRuntimeError":
                raise
            raise UserError(
                f"the hosts have lost each other ({str(error).splitlines()[0]:.80} ...); see what the others say, then "
                f"go on from the last state, on all hosts: desertseg fit --resume {shlex.quote(str(folder))}"
            ) from error

    def check_equal(self, digest: bytes, what: str) -> None:
        """Refuse hosts that were given different things."""
        digests = self.exchange(digest)
        other = next((k for k, d in enumerate(digests) if d != digests[0]), None)
        if other is not None:
            raise UserError(f"host {other} has another {what} than host 0; give all hosts the same")

    def steady(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield batches, and where one cannot be read the one before, until `ask` has told all hosts to end."""
        source = iter(batches)
        with self.together():
            batch = next(source)
        while True:
            yield batch
            try:
                batch = next(source)
            except StopIteration:
                return
            except UserError as error:
                if self.hosts == 1:
                    raise
                self._failure = error

    def ask(self, number: int, *, wait: bool = False) -> int:
        """Return the highest `number` that a host gave, the same on all hosts in the same call.

        One host answers at once. Several answer what was given some calls ago, unless they `wait`.

        Raises:
            UserError: a host cannot go on.
        """
        if self.hosts == 1:
            return number
        own = np.full(len(self._here), _CANNOT if self._failure else number, np.int32)
        self._votes.append(self._highest(self.share(own)))
        if wait:
            answer = max(int(vote) for vote in self._votes)
            self._votes.clear()
        else:
            answer = int(self._votes.popleft()) if len(self._votes) > _LAG else 0
        if answer == _CANNOT:
            self._votes.clear()
            if self._failure:
                raise self._failure
            self._refuse(None)
        return answer

    @cached_property
    def _highest(self) -> Any:
        import jax
        import jax.numpy as jnp

        return jax.jit(jnp.max, out_shardings=self.replicated)

    @staticmethod
    def _refuse(hosts: list[int] | None) -> None:
        if hosts is None or hosts:
            which = "another host" if hosts is None else f"host {hosts[0]}"
            raise UserError(f"{which} cannot go on, so all hosts end; its own message says why")


def find_devices(devices: int | str = 1) -> Devices:
    """Return the devices to train on.

    Args:
        devices: how many of this host, or "all"; of each host, where several have joined.

    Raises:
        UserError: there are not so many, or the backend is TensorFlow.
    """
    if devices != "all" and (not isinstance(devices, int) or devices < 1):
        raise UserError(f"devices is {devices!r}; give a number from 1 on, or all")
    if keras.backend.backend() != "jax":
        if devices == 1:
            return Devices()
        raise UserError("several devices train on JAX alone; leave out --devices, or use --backend jax")
    import jax

    of_host: list[list] = [[] for _ in range(jax.process_count())]
    for device in sorted(jax.devices(), key=lambda d: d.id):
        of_host[device.process_index].append(device)
    local = of_host[jax.process_index()]
    count = len(local) if devices == "all" else int(devices)
    hosts = Devices(local[:1], [found[0] for found in of_host])
    with hosts.together():
        if count > len(local):
            have = "is 1" if len(local) == 1 else f"are {len(local)}"
            kind = f"{local[0].platform.upper()} device{'s' if len(local) > 1 else ''}"
            raise UserError(f"there {have} {kind}, fewer than --devices {count}; use --devices all for what there is")
    hosts.check_equal(bytes([count]), "number of devices")
    if count == len(of_host) == 1:
        return Devices()
    return Devices(local[:count], [device for found in of_host for device in found[:count]])


def check_batch(devices: Devices, batch_size: int, accumulate: int, frames: int) -> None:
    """Refuse a batch whose micro-batches the devices cannot share evenly.

    Args:
        devices: that train.
        batch_size: frames of a micro-batch, on all devices.
        accumulate: micro-batches of a batch.
        frames: there are to train on.

    Raises:
        UserError: naming the nearest size that they can.
    """
    if batch_size % devices.count == 0:
        return
    below = batch_size // devices.count * devices.count
    above = below + devices.count
    nearest = below if below and (above - batch_size > batch_size - below or above * accumulate > frames) else above
    each = f" (of each of {accumulate} micro-batches)" if accumulate > 1 else ""
    mend = f"use --batch-size {nearest}" if nearest * accumulate <= frames else "use fewer devices"
    raise UserError(f"a batch of {batch_size}{each} cannot be shared evenly by {devices}; {mend}")


def _rows(distribution: keras.distribution.DataParallel) -> Any:
    """Return the sharding of an array whose first axis is the batch."""
    return distribution.get_data_layout((1,)).backend_layout


def _replicated(distribution: keras.distribution.DataParallel) -> Any:
    return keras.distribution.TensorLayout([], distribution.device_mesh).backend_layout


def _regrouped(array: Any, sharding: Any) -> Any:
    """Return the copies that this host's devices have of an array, as one array of another set of devices."""
    import jax

    copies = [shard.data for shard in array.addressable_shards]
    return jax.make_array_from_single_device_arrays(array.shape, sharding, copies)
