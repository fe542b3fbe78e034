"""One way to give a role a power: named actions on named resources, a wildcard only with its why.

It never adds a managed policy, and refuses a wildcard that comes without a reason.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from infra.acknowledge import acknowledge


def allow(
    role: iam.Role,
    sid: str,
    *,
    actions: Sequence[str],
    on: Sequence[str],
    when: Mapping[str, Mapping[str, object]] | None = None,
    wildcard_because: str = "",
) -> None:
    """Adds one statement to the role and acknowledges its wildcards to cdk-nag."""
    role.add_to_policy(
        iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(on), conditions=when)
    )
    for resource in on:
        text = _as_nag_writes_it(Stack.of(role).resolve(resource))
        if "*" not in text:
            continue
        if not wildcard_because:
            raise ValueError(f"Statement {sid} allows {text}: a wildcard needs its why.")
        acknowledge(role, f"IAM5[Resource::{text}]", why=wildcard_because)


def _as_nag_writes_it(value: object) -> str:
    """A resolved token as cdk-nag spells it in a finding's id, so that no logical id of ours has
    to be spelt in an acknowledgement."""
    match value:
        case str():
            return value
        case {"Fn::Join": [str(delimiter), list(parts)]}:
            return delimiter.join(_as_nag_writes_it(part) for part in parts)
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": str(name)}:
            return f"<{name}>"
        case _:
            raise ValueError(f"A permission on {value!r} cannot be named; pass a name or an ARN.")
