/** Prints the template that the properties in the first argument make, with the outputs of the CloudFormation template. */

import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Architecture, Code } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { S3CloudFrontInvalidator } from '../lib';

const { architecture, alarmTopic, ...props } = JSON.parse(process.argv[2]);
const app = new App();
const stack = new Stack(app, 'Stack');
const made = new S3CloudFrontInvalidator(stack, 'Invalidator', {
  ...props,
  code: Code.fromBucket(Bucket.fromBucketName(stack, 'Code', 'code'), 'function.zip'),
  architecture: architecture === 'arm64' ? Architecture.ARM_64 : undefined,
  alarmTopic: alarmTopic && Topic.fromTopicArn(stack, 'Topic', alarmTopic),
});
const outputs = {
  functionArn: made.functionArn,
  functionName: made.functionName,
  queueArn: made.queueArn,
  queueUrl: made.queueUrl,
  deadLetterQueueArn: made.deadLetterQueueArn,
  roleArn: made.roleArn,
};
for (const [name, value] of Object.entries(outputs)) {
  new CfnOutput(stack, name[0].toUpperCase() + name.slice(1), { value });
}
console.log(JSON.stringify(app.synth().getStackByName('Stack').template));
