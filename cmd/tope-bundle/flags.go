package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tope/updater/platform/versions"
)

// This file refuses values on the command line that mean nothing: taken for something
// else, they would make a release, or judge one, as nobody has asked for.

// A count is the value of a flag that is a whole number, 0 or more. Below 0, n says that
// the flag was not given; such a default is not shown.
type count struct{ n *int64 }

func (c count) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return errors.New("write a whole number, 0 or more")
	}
	*c.n = n
	return nil
}

func (c count) String() string {
	if c.n == nil || *c.n < 0 {
		return ""
	}
	return strconv.FormatInt(*c.n, 10)
}

// Type is the word for the value in help.
func (c count) Type() string { return "int" }

// versionOf refuses a flag's value that is not a version; "" was not given.
func versionOf(flag, text string) error {
	if text == "" {
		return nil
	}
	if err := versions.ValidVersion(strings.TrimPrefix(text, "v")); err != nil {
		return usagef("%s: %w", flag, err)
	}
	return nil
}

// local refuses addresses where a verb wants files: they would be looked for as files.
func local(cmd *cobra.Command, args []string) error {
	for _, flag := range []string{"from", "pub"} {
		if names, err := cmd.Flags().GetStringArray(flag); err == nil {
			args = append(args, names...)
		}
	}
	for _, name := range args {
		if _, err := os.Lstat(name); err != nil && strings.Contains(name, "://") {
			return usagef("%s works on files, not on addresses: download it first, and name the file", cmd.CommandPath())
		}
	}
	return nil
}
