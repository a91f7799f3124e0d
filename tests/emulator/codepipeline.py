"""CodePipeline for scripts/smoke: what CloudFormation and the lists of executions answer. It runs no action, and invokes no function.

The emulator has no CodePipeline. Its CloudFormation makes the other resources of pipeline.yaml, and a parameter instead of the pipeline.
"""

import re
from urllib.parse import parse_qs, urlencode

# The resource in the template, and what the emulator makes instead. `Ref` is the name of both.
PIPELINE = re.compile(r"^  Pipeline:\n    Type: AWS::CodePipeline::Pipeline\n(?:    .*\n|\n)+?(?=  \S)", re.MULTILINE)
PARAMETER = "  Pipeline:\n    Type: AWS::SSM::Parameter\n    Properties: { Type: String, Value: pipeline }\n\n"

# The uploads before S3 sends events to EventBridge: they start no execution.
UPLOADS_BEFORE_EVENTS = 1


class CodePipeline:
    """One pipeline. `s3` is the emulator's client."""

    def __init__(self, s3):
        self.s3, self.source, self.reads = s3, None, 0

    def without_pipeline(self, body):
        """A request to CloudFormation, without a resource that the emulator does not know."""
        request = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        template, replaced = PIPELINE.subn(PARAMETER, request.get("TemplateBody", ""))
        if not replaced:
            return body
        keys = {value: name for name, value in request.items() if name.endswith(".ParameterKey")}
        self.source = request[keys["SourceBucket"].replace("ParameterKey", "ParameterValue")]
        return urlencode(request | {"TemplateBody": template}).encode()

    def answer(self, action, request):
        if action.endswith("ListPipelineExecutions"):
            return {"pipelineExecutionSummaries": self.executions()}
        assert action.endswith("ListActionExecutions"), action
        assert request["filter"] == {"pipelineExecutionId": self.executions()[0]["pipelineExecutionId"]}, request
        result = lambda summary: {"executionResult": {"externalExecutionSummary": summary}}
        actions = [("Invalidate", result("")), ("Deploy", result("Deployment Succeeded")), ("Source", result("Amazon S3 version id: 1"))]
        return {"actionExecutionDetails": [{"actionName": name, "status": "Succeeded", "output": it} for name, it in actions]}

    def executions(self):
        """The newest first. An execution has ended when it is read for the second time."""
        uploads = len(self.s3.list_object_versions(Bucket=self.source, Prefix="site.zip").get("Versions", []))
        executions = [{"pipelineExecutionId": "0", "status": "Failed", "trigger": {"triggerType": "CreatePipeline"}}]
        for number in range(UPLOADS_BEFORE_EVENTS, uploads):
            self.reads += 1
            status = "Succeeded" if self.reads > 1 else "InProgress"
            execution = {"pipelineExecutionId": str(number), "status": status, "trigger": {"triggerType": "CloudWatchEvent"}}
            executions.insert(0, execution)
        return executions
