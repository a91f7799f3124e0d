import { join } from 'node:path';
import { App, Aspects, type AppProps, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { Code } from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Construct } from 'constructs';
import { S3CloudFrontInvalidator } from '../lib';
import { suppress } from './suppressions';

/** One invalidator for all sites of the Region. */
export class InvalidatorStack extends Stack {
  public readonly invalidator: S3CloudFrontInvalidator;

  public constructor(scope: Construct, id: string, zip: string, props: StackProps = {}) {
    super(scope, id, props);
    this.invalidator = new S3CloudFrontInvalidator(this, 'Invalidator', { code: Code.fromAsset(zip), alarms: true });
  }
}

/** A private bucket and the distribution that serves it. */
export class SiteStack extends Stack {
  public constructor(scope: Construct, id: string, invalidator: S3CloudFrontInvalidator, props: StackProps = {}) {
    super(scope, id, props);
    const bucket = new s3.Bucket(this, 'Bucket', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const distribution = new cloudfront.Distribution(this, 'Distribution', {
      defaultRootObject: 'index.html',
      defaultBehavior: {
        origin: S3BucketOrigin.withOriginAccessControl(bucket),
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      },
    });
    invalidator.link(bucket, distribution, { ignore: ['.map'] });
    this.exportValue(bucket.bucketName, { name: `${id}-BucketName` });
    this.exportValue(distribution.distributionId, { name: `${id}-DistributionId` });
  }
}

export function build(props: AppProps & { zip: string }): App {
  const app = new App(props);
  const { invalidator } = new InvalidatorStack(app, 'Invalidator', props.zip);
  new SiteStack(app, 'Site', invalidator);
  Aspects.of(app).add(new AwsSolutionsChecks());
  suppress(app);
  return app;
}

if (require.main === module) {
  const repository = join(__dirname, '../../../..');
  build({
    outdir: process.env.CDK_OUTDIR ?? 'cdk.out',
    zip: process.env.FUNCTION_ZIP ?? join(repository, 'target/package/function.zip'),
  }).synth();
}
