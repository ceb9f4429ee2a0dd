# SPDX-License-Identifier: GPL-2.0-or-later
"""Entities: what is configured, started, stopped, aborted, and has a place for its files."""

from testplan.common.entity.base import (
    ActionResult,
    Entity,
    EntityConfig,
    EntityStatus,
    Environment,
    FailedAction,
    Resource,
    ResourceConfig,
    ResourceStatus,
    ResourceTimings,
    RunnableStatus,
    StatusTransitionException,
)

__all__ = (
    "ActionResult",
    "Entity",
    "EntityConfig",
    "EntityStatus",
    "Environment",
    "FailedAction",
    "Resource",
    "ResourceConfig",
    "ResourceStatus",
    "ResourceTimings",
    "Runnable",
    "RunnableConfig",
    "RunnableManager",
    "RunnableResult",
    "RunnableStatus",
    "StatusTransitionException",
)


def __getattr__(name):
    # What runs steps is for plans and tests; drivers do without.
    from testplan.common.entity import base

    return getattr(base, name)
