/** Prints the template for each set of properties in the first argument, with the same outputs as the CloudFormation template. */

import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { S3CloudFrontInvalidator } from '../lib';

function template({ architecture, alarmTopic, permissionsBoundary, encryptionKey, ...props }: Record<string, any>): unknown {
  const app = new App();
  const stack = new Stack(app, 'Stack');
  const invalidator = new S3CloudFrontInvalidator(stack, 'Invalidator', {
    ...props,
    code: Code.fromBucket(Bucket.fromBucketName(stack, 'Code', 'code'), 'function.zip'),
    architecture: architecture === 'arm64' ? Architecture.ARM_64 : undefined,
    permissionsBoundary: permissionsBoundary && ManagedPolicy.fromManagedPolicyArn(stack, 'Boundary', permissionsBoundary),
    encryptionKey: encryptionKey && Key.fromKeyArn(stack, 'Key', encryptionKey),
    alarmTopic: alarmTopic && Topic.fromTopicArn(stack, 'Topic', alarmTopic),
  });
  const outputs = {
    FunctionArn: invalidator.functionArn,
    FunctionName: invalidator.functionName,
    QueueArn: invalidator.queue && invalidator.queueArn,
    QueueUrl: invalidator.queue && invalidator.queueUrl,
    DeadLetterQueueArn: invalidator.deadLetterQueue && invalidator.deadLetterQueueArn,
    ScheduleName: invalidator.scheduleName,
    RoleArn: invalidator.roleArn,
    Version: invalidator.version,
  };
  for (const [name, value] of Object.entries(outputs)) {
    if (value !== undefined) new CfnOutput(stack, name, { value });
  }
  return app.synth().getStackByName('Stack').template;
}

console.log(JSON.stringify(JSON.parse(process.argv[2]).map(template)));
