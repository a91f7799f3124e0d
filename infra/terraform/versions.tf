terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first that sets a function's log with the function.
      version = ">= 5.31"
    }
  }
}
