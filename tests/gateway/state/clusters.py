"""A real Redis Cluster on loopback: three masters, each a process of its own, that share the slots evenly."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import redis

from tests.gateway.state.servers import redis_executable
from tests.waiting import wait_until

__all__ = ["Cluster", "redis_cluster"]

_SLOTS = 16_384
_BUS = 10_000  # a node's second port, of the cluster's own talk, lies so far above its first


@dataclass
class Cluster:
    ports: list[int] = field(default_factory=list)
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Any node will do."""
        return f"redis://127.0.0.1:{self.ports[0]}"

    def ask(self, index: int, *command: object) -> object:
        with closing(redis.Redis(port=self.ports[index])) as client:
            return client.execute_command(*command)

    def held(self) -> list[set[str]]:
        """The names of what each shard holds."""
        return [{key.decode() for key in self.ask(i, "KEYS", "*")} for i in range(len(self.ports))]  # type: ignore[attr-defined]

    def info(self, index: int) -> dict[str, str]:
        return self.ask(index, "CLUSTER INFO")  # type: ignore[return-value]

    def move_slots(self, first: int, last: int, *, source: int, target: int) -> None:
        """Give empty slots to another node, and tell everybody."""
        new_owner = self.ask(target, "CLUSTER MYID")
        for index in (target, source, *range(len(self.ports))):
            for slot in range(first, last + 1):
                self.ask(index, "CLUSTER", "SETSLOT", slot, "NODE", new_owner)

    def kill(self, index: int) -> None:
        self.nodes[index].kill()
        self.nodes[index].wait()


@contextmanager
def redis_cluster(folder: Path, *, n_nodes: int = 3) -> Iterator[Cluster]:
    """When one of them dies, the others go on with their slots."""
    cluster = Cluster()
    try:
        for index in range(n_nodes):
            _start_another(cluster, folder / f"node-{index}")
        for index, port in enumerate(cluster.ports):
            share = range(_SLOTS * index // n_nodes, _SLOTS * (index + 1) // n_nodes)
            cluster.ask(index, "CLUSTER", "ADDSLOTS", *share)
            cluster.ask(0, "CLUSTER", "MEET", "127.0.0.1", port)
        wait_until(lambda: all(_is_whole(cluster.info(i), n_nodes) for i in range(n_nodes)))
        yield cluster
    finally:
        for node in cluster.nodes:
            node.kill()
            node.wait()


def _start_another(cluster: Cluster, folder: Path) -> None:
    """On a port that was free a moment ago: where somebody else was quicker, on another."""
    folder.mkdir()
    while True:
        port = _free_port()
        node = _start(folder, port)
        cluster.nodes.append(node)
        wait_until(partial(_has_started_or_ended, node, port))
        if node.poll() is None:
            cluster.ports.append(port)
            return
        cluster.nodes.remove(node)


def _has_started_or_ended(node: subprocess.Popen[bytes], port: int) -> bool:
    return node.poll() is not None or _answering(port) == node.pid


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    executable = redis_executable()
    assert executable is not None  # whoever asks for a cluster has checked
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": folder,
        "save": "",
        "cluster-enabled": "yes",
        "cluster-require-full-coverage": "no",
        "cluster-node-timeout": 60_000,  # a node that waits for the processor is not taken for dead
    }
    arguments = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    return subprocess.Popen([executable, *arguments], stdout=subprocess.DEVNULL)


def _free_port() -> int:
    while True:
        with closing(socket.socket()) as found, closing(socket.socket()) as bus:
            found.bind(("127.0.0.1", 0))
            port: int = found.getsockname()[1]
            if port + _BUS > 65_535:
                continue
            try:
                bus.bind(("127.0.0.1", port + _BUS))
            except OSError:
                continue
            return port


def _answering(port: int) -> int | None:
    """The process that answers there."""
    try:
        with closing(redis.Redis(port=port)) as client:
            return int(client.info("server")["process_id"])
    except redis.RedisError:
        return None


def _is_whole(info: dict[str, str], n_nodes: int) -> bool:
    """Whether a node knows all others, and whose every slot is: until then it says of some that nobody has them."""
    knows_all = info["cluster_known_nodes"] == str(n_nodes) and info["cluster_slots_assigned"] == str(_SLOTS)
    return info["cluster_state"] == "ok" and knows_all
