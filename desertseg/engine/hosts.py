"""Several processes, as a rule one on each of several machines, that train together."""

from __future__ import annotations

import keras

from desertseg.errors import UserError


def join_hosts(hosts: int, host: int, coordinator: str) -> None:
    """Join the processes that train together, for as long as this process runs; before anything is computed.

    Args:
        hosts: how many there are.
        host: which of them this is, from 0.
        coordinator: HOST:PORT of the first one, where the others find each other.

    Raises:
        UserError: numbers that cannot be, TensorFlow, or hosts that do not find each other in five minutes.
    """
    if not 0 <= host < hosts:
        raise UserError(f"host is {host} of {hosts}; hosts are counted from 0, so give 0 to {max(0, hosts - 1)}")
    name, _, port = coordinator.rpartition(":")
    if not name or not port.isdigit():
        raise UserError(f"coordinator is '{coordinator}'; give the first host and a free port, such as node0:12345")
    if keras.backend.backend() != "jax":
        raise UserError("several hosts train on JAX alone; leave out --hosts, or use --backend jax")
    import jax

    if jax.distributed.is_initialized():
        if (jax.process_index(), jax.process_count()) != (host, hosts):
            raise UserError("this process has joined other hosts already; a process does so once")
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(coordinator, num_processes=hosts, process_id=host)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"host {host} of {hosts} could not join at {coordinator}: {reason}") from error
