terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first version with the function's logging_config.
      version = ">= 5.31"
    }
  }
}
