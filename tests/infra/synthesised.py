"""A synthesised template, read by what its resources are and never by logical ids."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What CloudFormation would say of itself.
PSEUDO = {
    "AWS::StackName": "mayfly",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/mayfly/0a1b2c3d-4e5f",
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}

#: The properties that hold a resource's own name.
NAMES = (
    "QueueName",
    "TableName",
    "BucketName",
    "FunctionName",
    "ClusterName",
    "LogGroupName",
    "Family",
    "DashboardName",
    "AlarmName",
    "Name",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource, with every intrinsic function resolved to readable text."""

    type: str
    name: str
    properties: dict[str, Any]
    raw: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.properties[key]


@dataclass(frozen=True, slots=True)
class Template:
    """The template and the folder that it was written to."""

    body: dict[str, Any]
    folder: Path

    def all(self, *types: str) -> list[Resource]:
        """The resources of some types, or every one."""
        return [
            self._resource(logical_id)
            for logical_id, raw in self.body["Resources"].items()
            if not types or raw["Type"] in types
        ]

    def one(self, type_: str, name: str = "") -> Resource:
        """The only resource of a type, or of a type and a name."""
        found = [r for r in self.all(type_) if not name or r.name == name]
        assert len(found) == 1, [r.name for r in self.all(type_)]
        return found[0]

    @property
    def outputs(self) -> dict[str, str]:
        return {
            name: self.text(output["Value"])
            for name, output in self.body.get("Outputs", {}).items()
        }

    def text(self, value: Any) -> Any:
        """A value with its intrinsics resolved: a reference reads `<name>`, an attribute
        `<name.Attribute>`."""
        match value:
            case {"Ref": str(target), **rest} if not rest:
                return PSEUDO.get(target) or f"<{self._name(target)}>"
            case {"Fn::GetAtt": [str(target), str(attribute)]}:
                return f"<{self._name(target)}.{attribute}>"
            case {"Fn::Join": [str(delimiter), list(parts)]}:
                return delimiter.join(str(self.text(part)) for part in parts)
            case {"Fn::Split": [str(delimiter), source]}:
                return self.text(source).split(delimiter)
            case {"Fn::Select": [index, source]}:
                return self.text(source)[int(index)]
            case {"Fn::GetAZs": _}:
                return ["zone-a", "zone-b", "zone-c"]
            case {"Fn::Sub": str(pattern)}:
                for name, text in PSEUDO.items():
                    pattern = pattern.replace(f"${{{name}}}", text)
                return pattern
            case dict():
                return {key: self.text(item) for key, item in value.items()}
            case list():
                return [self.text(item) for item in value]
            case _:
                return value

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Every statement that a role (as `<…>`, from a reference) carries; it must carry them in
        policies of its own."""
        found: list[dict[str, Any]] = []
        for policy in self.all("AWS::IAM::Policy"):
            if role in policy["Roles"]:
                found.extend(policy["PolicyDocument"]["Statement"])
        role_itself = next(r for r in self.all("AWS::IAM::Role") if f"<{r.name}>" == role)
        for inline in role_itself.properties.get("Policies", []):
            found.extend(inline["PolicyDocument"]["Statement"])
        assert "ManagedPolicyArns" not in role_itself.properties
        return found

    def powers(self, role: str) -> set[tuple[str, str, str]]:
        """(action, resource, condition) of everything a role may do, one by one."""
        return {
            (action, resource, _condition(statement.get("Condition", {})))
            for statement in self.statements(role)
            if statement["Effect"] == "Allow"
            for action in _listed(statement["Action"])
            for resource in _listed(statement["Resource"])
        }

    def role(self, name: str) -> Resource:
        """The role of a reference like `<…>` or `<….Arn>`."""
        bare = name.strip("<>").removesuffix(".Arn")
        return next(r for r in self.all("AWS::IAM::Role") if r.name == bare)

    def _resource(self, logical_id: str) -> Resource:
        raw = self.body["Resources"][logical_id]
        return Resource(
            type=raw["Type"],
            name=self._name(logical_id),
            properties=self.text(raw.get("Properties", {})),
            raw=raw,
        )

    def _name(self, logical_id: str) -> str:
        """Its own name, else whatever tells it from others."""
        properties = self.body["Resources"][logical_id].get("Properties", {})
        for key in NAMES:
            if key in properties and logical_id not in str(properties[key]):
                return str(self.text(properties[key]))
        return logical_id


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _condition(condition: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{operator} {key} {' '.join(_listed(value))}"
        for operator, keys in sorted(condition.items())
        for key, value in sorted(keys.items())
    )


def strings_in(value: Any) -> Iterator[str]:
    """Every string anywhere in a value."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from strings_in(item)
        case list():
            for item in value:
                yield from strings_in(item)
        case _:
            return
