"""Holds what may be given to the Terraform module and the CDK's construct to the template's parameters: values, bounds, patterns."""

import re

# Which the CDK has a type of its own for.
TYPED = {"Architecture", "LogRetentionDays"}
# What the template says otherwise than the others: a number that may be left out is text there, and of numbers it can name a few,
# which a mapping knows, but not compute.
SAID_OTHERWISE = {
    "ReservedConcurrency": ("([5-9]|[1-9][0-9]{1,3})?", (5, 9999)),
    "BatchingWindowSeconds": ([0, 1, 5, 10, 20, 30, 60, 120, 180, 240, 300], (0, 300)),
}


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def of_parameter(name, it):
    """What a parameter of the template may be: a list, two bounds, a pattern, or anything."""
    if name in SAID_OTHERWISE:
        said, meant = SAID_OTHERWISE[name]
        assert said in (it.get("AllowedPattern"), it.get("AllowedValues")), it
        return meant
    if "AllowedValues" in it:
        return "switch" if it["AllowedValues"] == ["true", "false"] else it["AllowedValues"]
    if "MinValue" in it:
        return it["MinValue"], it["MaxValue"]
    return it.get("AllowedPattern")


def of_variable(name, variables):
    """The same of a variable of Terraform, from its source."""
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
    """The same of a property of the CDK's construct, from its source."""
    name = name[0].lower() + name[1:]
    if bounds := re.search(rf"within\('{name}', props\.{name}, (\d+), (\d+)\)", props):
        return int(bounds.group(1)), int(bounds.group(2))
    if pattern := re.search(rf"^  {name}: \[\s*/\^(.*)\$/,", props, re.MULTILINE):
        return pattern.group(1)
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
            yield f"terraform: {name} may be {found} instead of {expected}"
        found = of_property(name, props)
        # What is left out is empty in the template; patterns say so.
        alike = found is not None and found == str(expected).removesuffix("?")
        if name not in TYPED and found != expected and not alike:
            yield f"cdk: {name} may be {found} instead of {expected}"
        if "AllowedPattern" in parameter and "ConstraintDescription" not in parameter:
            yield f"{name} has a pattern, but no ConstraintDescription"
