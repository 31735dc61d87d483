//go:build linux && amd64

package main

import "github.com/spf13/cobra"

func plantCommand() *cobra.Command { return &cobra.Command{Use: "plant"} }
