"""Nodes of the OPC UA server: made under names that stay the same over restarts, typed by the standard's nodeset."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from asyncua import Node, Server, ua
from asyncua.common.instantiate_util import instantiate

from linewarden_runtime.errors import ConfigurationError

# A type of variables has no access level to copy, which it says four times a variable.
logging.getLogger("asyncua.common.copy_node_util").setLevel(logging.ERROR)

VISION = "http://opcfoundation.org/UA/MachineVision"
OWN = "urn:linewarden:onward"

Structure = Any
"""A structure of the standard; asyncua makes its class when the nodeset is read."""
MethodAnswer = Any
"""A list of `ua.Variant`, or a `ua.StatusCode` that says why there is none."""
Method = Callable[..., Awaitable[MethodAnswer]]
ArgumentSpec = tuple[str, int, int]
"""Name, data type (a number of `ua.ObjectIds`), and rank: -1 for one value, 1 for a list."""


class PlantSpace:
    """The address space: `own` is the index of our namespace, `names` that of the standard's names.

    `vision` is the index of the standard's namespace, None without its nodeset; then its names are in ours.
    """

    def __init__(self, server: Server, own: int, vision: int | None) -> None:
        self.server, self.own, self.vision = server, own, vision
        self.names = own if vision is None else vision

    @classmethod
    async def make(cls, server: Server, nodeset: Path | None) -> PlantSpace:
        """Our namespace, and the standard's where there is a file.

        Raises:
            ConfigurationError: where the file cannot be read, or is not that of the standard.
        """
        own = await server.register_namespace(OWN)
        if nodeset is None:
            return cls(server, own, None)
        try:
            await server.import_xml(nodeset)
            return cls(server, own, await server.get_namespace_index(VISION))
        except (OSError, ValueError, ParseError, ua.UaError) as error:
            raise ConfigurationError(f"opcua: nodeset {nodeset} is not that of OPC 40100-1: {error}") from error

    def standard(self, number: int) -> Node:
        """A type of the standard by its number there."""
        return self.server.get_node(ua.NodeId(number, self.vision))

    async def add_object(self, parent: Node, name: str, space: int, kind: int | None = None) -> Node:
        """An object; `kind` is its type in the standard, left away where that is not here."""
        typed = None if kind is None or self.vision is None else ua.NodeId(kind, self.vision)
        place, title = self._place(parent, name), ua.QualifiedName(name, space)
        return await parent.add_object(place, title, typed, instantiate_optional=False)

    async def add_variable(self, parent: Node, name: str, value: ua.Variant, space: int | None = None) -> Node:
        """A variable that clients can read, in our namespace unless another one is told."""
        title = ua.QualifiedName(name, self.own if space is None else space)
        return await parent.add_variable(self._place(parent, name), title, value)

    async def add_typed(self, parent: Node, name: str, kind: int) -> Node:
        """A variable of a type of the standard, with its parts."""
        place, title = self._place(parent, name), ua.QualifiedName(name, self.own)
        label = ua.LocalizedText(name)
        made = await instantiate(parent, self.standard(kind), place, title, label, instantiate_optional=False)
        return made[0]

    async def add_method(
        self,
        parent: Node,
        name: str,
        method: Method,
        asked: Sequence[ArgumentSpec],
        answer: Sequence[ArgumentSpec],
    ) -> None:
        """A method of our own, with its arguments."""
        place, title = self._place(parent, name), ua.QualifiedName(name, self.own)
        await parent.add_method(place, title, method, _arguments(asked), _arguments(answer))

    async def write(self, node: Node, value: ua.Variant) -> None:
        """Change a value, and tell it to whoever monitors it."""
        told = ua.DataValue(value, SourceTimestamp=datetime.now(UTC))
        written = await self.server.iserver.aspace.write_attribute_value(node.nodeid, ua.AttributeIds.Value, told)
        written.check()

    async def write_state(self, machine: Node, kind: int, state: str) -> None:
        """The current state of a state machine, by name and by the node of its type; empty for none."""
        current = await machine.get_child("0:CurrentState")
        await self.write(current, ua.Variant(ua.LocalizedText(state), ua.VariantType.LocalizedText))
        if self.vision is not None:
            named = await self.standard(kind).get_child(f"{self.vision}:{state}") if state else None
            place = ua.NodeId() if named is None else named.nodeid
            await self.write(await current.get_child("0:Id"), ua.Variant(place, ua.VariantType.NodeId))

    async def close_other_methods(self, top: Node) -> None:
        """Methods of the standard that nobody answers say so, and are marked as not to be called."""

        async def refuse(_parent: ua.NodeId, *_arguments: ua.Variant) -> MethodAnswer:
            return ua.StatusCode(ua.StatusCodes.BadNotSupported)

        waiting = [top]
        while waiting:
            for child in await waiting.pop().get_children():
                waiting.append(child)
                is_method = await child.read_node_class() is ua.NodeClass.Method
                if is_method and self.server.iserver.aspace[child.nodeid].call is None:
                    self.server.link_method(child, refuse)
                    for attribute in (ua.AttributeIds.Executable, ua.AttributeIds.UserExecutable):
                        await child.write_attribute(attribute, ua.DataValue(ua.Variant(False)))

    def _place(self, parent: Node, name: str) -> ua.NodeId:
        """Clients remember it: the names from the line on."""
        above = parent.nodeid
        is_ours = above.NamespaceIndex == self.own and isinstance(above.Identifier, str)
        return ua.NodeId(f"{above.Identifier}.{name}" if is_ours else name, self.own)


def structure(name: str, **fields: object) -> Structure:
    """A structure of the standard by its name."""
    return getattr(ua, name)(**fields)


def _arguments(listed: Sequence[ArgumentSpec]) -> list[ua.Argument]:
    return [ua.Argument(Name=name, DataType=ua.NodeId(kind), ValueRank=rank) for name, kind, rank in listed]
