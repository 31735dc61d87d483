// Package strict refuses command lines that have an empty value in them. A script whose
// variable is not set gives one: it never means that nothing was asked for.
package strict

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const unset = "is a variable not set?"

// Arguments has c and the verbs below it refuse an empty argument, and an empty value of
// a flag. usage makes an error of the command line of that, and of what the verb itself
// has against its arguments; usage(nil) is nil. It is called once, on the whole tree.
func Arguments(c *cobra.Command, usage func(error) error) {
	own := c.Args
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := empty(cmd, args); err != nil {
			return usage(err)
		}
		if own == nil {
			return nil
		}
		return usage(own(cmd, args))
	}
	for _, sub := range c.Commands() {
		Arguments(sub, usage)
	}
}

func empty(cmd *cobra.Command, args []string) error {
	if slices.Contains(args, "") {
		return errors.New("an argument is empty: " + unset)
	}
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			err = fmt.Errorf("--%s is empty: %s give it a value, or leave it out", f.Name, unset)
		}
	})
	return err
}
