"""Resolves a CloudFormation template, written or synthesized by the CDK, to a model that can be compared.

References become `<Queue.Arn>` and the like, whatever the logical IDs of the resources are.
"""

import json
import re

# Properties that are not compared: generated names, the location of the code, and tags of the tool.
NOT_COMPARED = {"Code", "Tags", "FunctionName:AWS::Lambda::Function", "Name:AWS::Events::Rule"}

NO_VALUE = object()


class Template:
    """A template with the values of its parameters, by default their default values."""

    def __init__(self, template, values=None):
        self.template, self.rule_arn = template, None
        declared = template.get("Parameters", {})
        unknown = set(values or {}) - set(declared)
        assert not unknown, f"not parameters of the template: {unknown}"
        self.values = {}
        for name, it in declared.items():
            value = (values or {}).get(name, it.get("Default"))
            is_list = it["Type"] == "CommaDelimitedList"
            self.values[name] = [part.strip() for part in str(value).split(",")] if is_list else str(value)
        self.resources = {
            name: it
            for name, it in template["Resources"].items()
            if it["Type"] != "AWS::CDK::Metadata" and ("Condition" not in it or self.holds(it["Condition"]))
        }
        self.names = {name: self.name_of(it) for name, it in self.resources.items()}
        assert len(set(self.names.values())) == len(self.names), self.names

    def name_of(self, resource):
        kind = resource["Type"].split("::")[-1]
        properties = resource.get("Properties", {})
        if kind == "Queue":
            return "Queue" if "RedrivePolicy" in properties else "DeadLetterQueue"
        if kind == "QueuePolicy":
            return "QueuePolicy" if "S3SendMessage" in json.dumps(properties["PolicyDocument"]) else "DeadLetterQueuePolicy"
        if kind == "Role":
            return "ScheduleRole" if "scheduler.amazonaws.com" in json.dumps(properties["AssumeRolePolicyDocument"]) else "Role"
        return f"Alarm.{self.resolve(properties['MetricName'])}" if kind == "Alarm" else kind

    def holds(self, condition):
        return self.resolve(self.template["Conditions"][condition])

    def reference(self, name, attribute=""):
        if name.startswith("AWS::"):
            return NO_VALUE if name == "AWS::NoValue" else f"<{name[5:]}>"
        if name in self.values:
            return self.values[name]
        return f"<{self.names[name]}{attribute and '.' + attribute}>"

    def resolve(self, value):
        if isinstance(value, list):
            return [it for it in map(self.resolve, value) if it is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function == "Ref":
                return self.reference(argument)
            if function == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if function.startswith("Fn::"):
                return self.call(function[4:], argument)
        resolved = {key: self.resolve(it) for key, it in value.items()}
        return {key: it for key, it in resolved.items() if it is not NO_VALUE}

    def call(self, function, argument):
        match function:
            case "GetAtt":
                name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return self.reference(name, attribute)
            case "Sub":
                return re.sub(r"\$\{([^}!]+)\}", lambda it: self.reference(*it.group(1).split(".", 1)), argument)
            case "Join":
                return argument[0].join(self.resolve(argument[1]))
            case "Split":
                return self.resolve(argument[1]).split(argument[0])
            case "If":
                return self.resolve(argument[1 if self.holds(argument[0]) else 2])
            case "Equals":
                first, second = self.resolve(argument)
                return first == second
            case "Not":
                return not self.resolve(argument[0])
            case "And":
                return all(map(self.resolve, argument))
            case "FindInMap":
                name, first, second = self.resolve(argument)
                return self.template["Mappings"][name][first][second]
        # Intrinsic functions that the templates do not use are not implemented.
        raise SystemExit(f"tests/infra does not implement Fn::{function}: {argument}")

    def model(self):
        """The properties of every resource by its name in the model, and the outputs."""
        resources = {}
        for name, resource in self.resources.items():
            properties = self.resolve(resource.get("Properties", {}))
            if "Name" in properties and resource["Type"] == "AWS::Events::Rule":
                self.rule_arn = f"arn:<Partition>:events:<Region>:<AccountId>:rule/{properties['Name']}"
            resources[self.names[name]] = plain(properties, resource["Type"])
        if self.rule_arn:
            # The ARN is made of the rule's name, because the rule waits for the policies that name it.
            resources = json.loads(json.dumps(resources).replace(json.dumps(self.rule_arn), '"<Rule.Arn>"'))
        declared = {name: it for name, it in self.template["Outputs"].items() if "Condition" not in it or self.holds(it["Condition"])}
        outputs = {name: self.resolve(it["Value"]) for name, it in declared.items()}
        # The CDK adds outputs for references between stacks.
        return {"resources": resources, "outputs": {name: value for name, value in outputs.items() if not name.startswith("Export")}}


def plain(properties, kind):
    """Properties in comparable form: without those that are not compared, policies by statement, numbers as text."""
    comparable = {}
    for name, value in properties.items():
        if name in NOT_COMPARED or f"{name}:{kind}" in NOT_COMPARED:
            continue
        if name in ("PolicyDocument", "AssumeRolePolicyDocument"):
            value = policy(value)
        elif name == "Policies":
            [only] = value
            value = {only["PolicyName"]: policy(only["PolicyDocument"])}
        elif name == "DashboardBody":
            value = json.loads(value)
        # FunctionName is a name or an ARN.
        comparable[name] = text("<Function>" if name == "FunctionName" else value)
    return comparable


def policy(document):
    """The statements of a policy by Sid. A value that may be a string or a list is always a list."""

    def as_list(value):
        return sorted(value) if isinstance(value, list) else [value]

    statements = {}
    for it in document["Statement"]:
        it = dict(it)
        sid = it.pop("Sid", "") or "-"
        assert sid not in statements, f"duplicate Sid {sid}"
        it["Action"] = as_list(it["Action"])
        if "Resource" in it:
            it["Resource"] = as_list(it["Resource"])
        conditions = it.get("Condition", {})
        it["Condition"] = {test: {key: as_list(value) for key, value in keys.items()} for test, keys in conditions.items()}
        statements[sid] = it
    return statements


def text(value):
    if isinstance(value, dict):
        return {str(key): text(it) for key, it in value.items()}
    if isinstance(value, list):
        return [text(it) for it in value]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
