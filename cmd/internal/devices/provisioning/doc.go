// Package provisioning tries whether the ways to set many devices up work: the Ansible
// role, and images made from the recipes in deploy/images.
package provisioning
