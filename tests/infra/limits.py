"""Compares the allowed values, bounds and patterns of the Terraform variables and CDK properties with the template's parameters."""

import re

# Parameters for which the CDK has its own types.
CDK_TYPES = {"Architecture", "KmsKeyArn", "LogRetentionDays", "PermissionsBoundary"}
# Parameters whose constraint differs in CloudFormation: an optional number and a list are strings there. Each with the constraint of the others.
CLOUDFORMATION_ONLY = {
    "ReservedConcurrency": ("([5-9]|[1-9][0-9]{1,3})?", (5, 9999)),
    "EventBridgeBuckets": ("(\\*|[A-Za-z0-9._-]{3,255}(,[A-Za-z0-9._-]{3,255})*)?", None),  # a list
}


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def of_parameter(name, it):
    """The constraint of a parameter of the template: a list of values, two bounds, a pattern, or None."""
    if name in CLOUDFORMATION_ONLY:
        actual, equivalent = CLOUDFORMATION_ONLY[name]
        assert actual in (it.get("AllowedPattern"), it.get("AllowedValues")), it
        return equivalent
    if "AllowedValues" in it:
        return "switch" if it["AllowedValues"] == ["true", "false"] else it["AllowedValues"]
    if it["Type"] == "Number":
        return it["MinValue"], it["MaxValue"]
    return it.get("AllowedPattern")


def of_variable(name, variables):
    """The constraint of a Terraform variable, from its source."""
    block = re.search(rf'^variable "{snake(name)}" {{\n(.*?)^}}', variables, re.MULTILINE | re.DOTALL).group(1)
    if re.search(r"^  type +=  *bool$", block, re.MULTILINE):
        return "switch"
    if listed := re.search(r"contains\(\s*\[(.*?)\]", block, re.DOTALL):
        return [it.strip().strip('"') for it in listed.group(1).split(",")]
    if bounds := re.search(r">= (\d+) && \S+ <= (\d+)", block):
        return int(bounds.group(1)), int(bounds.group(2))
    pattern = re.search(r'regex\("\^(.*)\$", ', block)
    return pattern and pattern.group(1).replace("\\\\", "\\")


def of_property(name, props):
    """The constraint of a CDK property, from its source."""
    name = name[0].lower() + name[1:]
    if bounds := re.search(rf"checkRange\('{name}', props\.{name}, (\d+), (\d+)\)", props):
        return int(bounds.group(1)), int(bounds.group(2))
    if pattern := re.search(rf"^  {name}: \[\s*/\^(.*)\$/,", props, re.MULTILINE):
        return pattern.group(1).replace(r"\/", "/")
    declared = re.search(rf"^  readonly {name}\?: (.*);", props, re.MULTILINE)
    if declared and declared.group(1) == "boolean":
        return "switch"
    if declared and "|" in declared.group(1):
        return [it.strip(" '") for it in declared.group(1).split("|")]


def differences(parameters, variables, props):
    for name, parameter in parameters.items():
        expected = of_parameter(name, parameter)
        if isinstance(expected, list):
            expected = list(map(str, expected))
        found = of_variable(name, variables)
        if found != expected:
            yield f"terraform: {name} allows {found} instead of {expected}"
        found = of_property(name, props)
        # In the template an empty string stands for an absent value, so its pattern is optional.
        is_same_pattern = found is not None and found == str(expected).removesuffix("?")
        if name not in CDK_TYPES and found != expected and not is_same_pattern:
            yield f"cdk: {name} allows {found} instead of {expected}"
        # TypeScript checks literals only, so the construct checks the values too.
        if name == "PollIntervalMinutes" and f"= [{', '.join(expected)}];" not in props:
            yield f"cdk: {name} is not checked against {expected}"
        if "AllowedPattern" in parameter and "ConstraintDescription" not in parameter:
            yield f"{name} has no ConstraintDescription"
