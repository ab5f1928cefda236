# A virtual machine or cloud image with the telemetry client in it. The builder is an example: any that ends in a shell
# on the machine will do. Run it in a checkout of this project: packer build deploy/images/packer

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2"
    }
  }
}

variable "source_ami" {
  type = string
}

source "amazon-ebs" "image" {
  ami_name      = "wordpress-6.4.2-0"
  instance_type = "t3.micro"
  source_ami    = var.source_ami
  ssh_username  = "admin"
}

build {
  sources = ["source.amazon-ebs.image"]

  # ... everything that makes the image ...

  provisioner "shell" {
    inline = ["mkdir -p /tmp/telemetry/deploy"]
  }

  provisioner "file" {
    source      = "client_sdk"
    destination = "/tmp/telemetry"
  }

  provisioner "file" {
    source      = "deploy/images"
    destination = "/tmp/telemetry/deploy"
  }

  # The timers are in the image from here on; they run when it boots. A product or version that the collector would
  # refuse fails the build in the last line; a collector that cannot be reached does not.
  provisioner "shell" {
    execute_command = "sudo env {{ .Vars }} sh -e {{ .Path }}"
    inline = [
      "sh /tmp/telemetry/deploy/images/install.sh --client shell --default on --url https://telemetry.example.com --product wordpress --product-version 6.4.2-0",
      "rm -rf /tmp/telemetry",
      "env $(cat /usr/lib/telemetry-client/environment) TELEMETRY=on telemetry-client send --dry-run"
    ]
  }

  # The last step: the image starts clean, and this machine sends nothing more while the snapshot is taken.
  provisioner "shell" {
    execute_command = "sudo env {{ .Vars }} sh -e {{ .Path }}"
    inline = [
      "telemetry-client seal"
    ]
  }
}
