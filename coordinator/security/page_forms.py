"""What the forms of the sign-in pages send."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from common.security import Role
from coordinator.security.next_page import FIRST_PAGE

# Longer than anything that is right, so that what is too long is told in our words.
Typed = Annotated[str, Field(max_length=1024)]


class SignInForm(BaseModel):
    """The first step."""

    name: Typed = ""
    password: Typed = ""
    next: Typed = FIRST_PAGE


class CodeForm(BaseModel):
    """The second step."""

    code: Typed = ""
    next: Typed = FIRST_PAGE


class WelcomeForm(BaseModel):
    """A one-time link, and a password where one is chosen."""

    link: Typed = ""
    password: Typed = ""
    again: Typed = ""


class PasswordForm(BaseModel):
    """Another password."""

    current: Typed = ""
    password: Typed = ""
    again: Typed = ""


class PersonForm(BaseModel):
    """Somebody new."""

    name: Typed = ""
    roles: Annotated[list[Role], Field(max_length=len(Role))] = []


class RolesForm(BaseModel):
    """All roles that somebody shall have."""

    roles: Annotated[list[Role], Field(max_length=len(Role))] = []
