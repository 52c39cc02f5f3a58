"""Consumer groups: members, generations, range assignment, committed offsets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from linewarden_runtime.errors import CommitRefused, Fenced
from linewarden_runtime.records import GroupSnapshot, Position


@dataclass(slots=True)
class Member:
    """One consumer of a group."""

    name: str
    topics: tuple[str, ...]
    instance: str | None
    assignment: frozenset[Position] = frozenset()

    @property
    def rank(self) -> str:
        """What members are ordered by: the static name if there is one."""
        return self.instance or self.name


@dataclass(slots=True)
class Group:
    """One group; `partitions` of the topics come with every rebalance."""

    name: str
    generation: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    fenced: set[str] = field(default_factory=set)
    offsets: dict[Position, int] = field(default_factory=dict)
    pending: dict[Position, str] = field(default_factory=dict)
    """Offsets that a transaction sent and nobody ended, with its identity."""
    joined: int = 0

    def join(self, topics: tuple[str, ...], instance: str | None, counts: Mapping[str, int]) -> Member:
        """Add a member; a static name that is known takes over its predecessor without a new generation."""
        self.joined += 1
        member = Member(f"{self.name}-{self.joined}", topics, instance)
        predecessor = next((m for m in self.members.values() if instance and m.instance == instance), None)
        if predecessor is not None:
            self.fenced.add(predecessor.name)
            del self.members[predecessor.name]
            member.assignment = predecessor.assignment
            self.members[member.name] = member
            return member
        self.members[member.name] = member
        self.rebalance(counts)
        return member

    def leave(self, name: str, counts: Mapping[str, int]) -> None:
        """Remove a member, if it is still one."""
        if self.members.pop(name, None) is not None:
            self.rebalance(counts)

    def rebalance(self, counts: Mapping[str, int]) -> None:
        """Begin a new generation, every topic's partitions split into ranges by the members' rank."""
        self.generation += 1
        shares: dict[str, set[Position]] = {name: set() for name in self.members}
        for topic in {topic for member in self.members.values() for topic in member.topics}:
            readers = sorted((m for m in self.members.values() if topic in m.topics), key=lambda m: m.rank)
            each, extra = divmod(counts[topic], len(readers))
            first = 0
            for place, reader in enumerate(readers):
                last = first + each + (place < extra)
                shares[reader.name].update(Position(topic, number) for number in range(first, last))
                first = last
        for name, share in shares.items():
            self.members[name].assignment = frozenset(share)

    def snapshot(self, name: str, instance: str | None, generation: int) -> GroupSnapshot:
        """Membership as a member sees it that took part up to `generation`."""
        if name in self.members:
            stable = generation == self.generation
            return GroupSnapshot(self.name, name, generation, instance, stable)
        return GroupSnapshot(self.name, "", -1, instance, stable=False)

    def commit(self, offsets: Mapping[Position, int], member: str, generation: int) -> None:
        """Store offsets of a current member; raises Fenced or CommitRefused."""
        self.require_current(member, generation)
        self.offsets.update(offsets)

    def settle(self, offsets: Mapping[Position, int]) -> None:
        """Store offsets that were pending."""
        for position in offsets:
            self.pending.pop(position, None)
        self.offsets.update(offsets)

    def require_current(self, member: str, generation: int) -> None:
        """Raise Fenced or CommitRefused for all but a current member."""
        if member in self.fenced:
            raise Fenced(f"{member}: its static name was taken over")
        if member not in self.members or generation != self.generation:
            raise CommitRefused(f"{member} is not in generation {self.generation} of {self.name}")
