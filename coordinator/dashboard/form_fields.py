"""The form that a browser sent → its fields as text, and mistakes in them as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BeforeValidator, ValidationError

from common.ids import PATTERN_MEANINGS

MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class FormFields:
    """A sent form; files in it are left out.

    Attributes:
        all: Name of a field → every value of it, in order.
    """

    all: Mapping[str, tuple[str, ...]]

    @property
    def single(self) -> dict[str, str]:
        """Name → its last value."""
        return {name: values[-1] for name, values in self.all.items()}


async def form_of(request: Request) -> FormFields:
    """Read the form; who may send it was decided before."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and name != "csrf_token":
            fields[name] = (*fields.get(name, ()), value)
    return FormFields(fields)


FormDep = Annotated[FormFields, Depends(form_of)]


def mistakes_in(error: ValidationError) -> dict[str, str]:
    """Name of a field → what is wrong with it; ``form`` for what concerns several."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False):
        named = [part for part in one["loc"] if isinstance(part, str)]
        place = named[-1] if named else "form"
        found.setdefault(place, _sentence(one["type"], one["msg"], one.get("ctx", {})))
    return found


def _sentence(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "missing":
        return "This is needed."
    if kind == "string_pattern_mismatch":
        meaning = PATTERN_MEANINGS.get(str(context.get("pattern")))
        if meaning:
            return f"Expected {meaning}."
    told = message.removeprefix("Value error, ").removeprefix("Input should be ")
    if told != message and not message.startswith("Value error"):
        return f"Expected {told}."
    return told[:1].upper() + told[1:] + ("" if told.endswith(".") else ".")


def _none_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


BLANK_IS_NONE = BeforeValidator(_none_if_blank)
"""A field that nobody filled in says nothing."""
