"""A property that is worked out once for each instance, by threads that do not wait for one another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class kept(Generic[T]):
    """As functools.cached_property, whose one lock, in Python 3.11, is held for all instances of a class at once.

    A visitor's forward pass would make every other visitor wait. Two threads that ask the same instance at the same
    moment may both work it out; the last one is kept. Works on frozen dataclasses.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> kept[T]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> kept[T] | T:
        if instance is None:
            return self
        value = self._make(instance)
        # From now on the instance's own attribute is found first, and this is not called again.
        instance.__dict__[self._name] = value
        return value
