"""From kafka-python's errors to the runtime's, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors as kafka_errors

from linewarden_runtime.errors import (
    BrokerUnavailable,
    CommitRefused,
    ConfigurationError,
    DeliveryFailed,
    Fenced,
    LogTruncated,
    RuntimeFault,
    TooLarge,
)

FENCED = (
    kafka_errors.ProducerFencedError,
    kafka_errors.InvalidProducerEpochError,
    kafka_errors.FencedInstanceIdError,
)
"""An outdated epoch counts as fenced too: a producer made anew would take the identity back from its heir."""

_OURS: tuple[tuple[type[RuntimeFault], tuple[type[kafka_errors.KafkaError], ...]], ...] = (
    (Fenced, FENCED),
    (
        CommitRefused,
        (
            kafka_errors.CommitFailedError,
            kafka_errors.IllegalGenerationError,
            kafka_errors.UnknownMemberIdError,
            kafka_errors.RebalanceInProgressError,
        ),
    ),
    (LogTruncated, (kafka_errors.LogTruncationError,)),
    (BrokerUnavailable, (kafka_errors.RetriableError,)),
    (
        ConfigurationError,
        (
            kafka_errors.AuthorizationError,
            kafka_errors.SaslAuthenticationFailedError,
            kafka_errors.InvalidTopicError,
            kafka_errors.KafkaConfigurationError,
            kafka_errors.InvalidTransactionTimeoutError,
        ),
    ),
)
"""The first that fits counts."""


def translate(error: kafka_errors.KafkaError) -> RuntimeFault | None:
    """Give the runtime's word for an error; None for one that nobody foresaw, which ends the process."""
    kind = next((ours for ours, theirs in _OURS if isinstance(error, theirs)), None)
    if kind is None:
        return None
    said = str(error) or type(error).__name__
    if "bootstrap" in said:  # nobody answered at all
        said = f"no broker answers ({said}): start it, or set LINEWARDEN_KAFKA__BOOTSTRAP_SERVERS"
    return kind(said if type(error).__name__ in said else f"{type(error).__name__}: {said}")


@contextmanager
def translated() -> Iterator[None]:
    """Let no error of kafka-python out that has a name of ours."""
    try:
        yield
    except kafka_errors.KafkaError as error:
        fault = translate(error)
        if fault is None:
            raise
        raise fault from error


def delivery_failure(error: BaseException) -> DeliveryFailed:
    """Give the failure of one record's delivery."""
    kind = TooLarge if isinstance(error, kafka_errors.MessageSizeTooLargeError) else DeliveryFailed
    return kind(f"{type(error).__name__}: {error}")


def is_fencing(error: BaseException | None) -> bool:
    """Whether an error, or what it wraps, says that somebody else has this identity.

    After a fatal error the client raises plain KafkaError and hides the cause in its arguments.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, (*FENCED, Fenced)):
            return True
        waiting += [current.__cause__, current.__context__]
        waiting += [each for each in current.args if isinstance(each, BaseException)]
    return False
