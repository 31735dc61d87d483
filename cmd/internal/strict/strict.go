// Package strict refuses command lines that do not have what a verb takes, and those that
// have an empty value in them. A script whose variable is not set gives one: it never
// means that nothing was asked for.
package strict

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const unset = "is a variable not set?"

// Arguments has c and the verbs below it refuse an empty argument, an empty value of a
// flag, and other arguments than those that the verb's line of usage (Use) names: NAME is
// one, [NAME] may be left out, NAME... may be repeated, and flags end them. A verb with a
// rule of its own (Args) is asked that instead. usage makes an error of the command line
// of it all; usage(nil) is nil. It is called once, on the whole tree.
func Arguments(c *cobra.Command, usage func(error) error) {
	takes := c.Args
	if takes == nil {
		takes = named
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := empty(cmd, args); err != nil {
			return usage(err)
		}
		return usage(takes(cmd, args))
	}
	for _, sub := range c.Commands() {
		Arguments(sub, usage)
	}
}

// named judges args by the line of usage.
func named(cmd *cobra.Command, args []string) error {
	rest := strings.TrimPrefix(cmd.Use, cmd.Name())
	if cmd.HasSubCommands() {
		rest = "" // VERB: cobra has found none, and the verb itself says which there are
	}
	var missing []string
	n := 0 // arguments that have a name
	for _, name := range strings.Fields(rest) {
		if name[0] == '-' {
			break
		}
		repeated := strings.Contains(name, "...")
		if n >= len(args) && name[0] != '[' {
			missing = append(missing, strings.TrimSuffix(name, "..."))
		}
		if n++; repeated {
			n = max(n, len(args))
		}
	}
	switch {
	case len(missing) == 1:
		return fmt.Errorf("%s is missing: %s%s", missing[0], cmd.CommandPath(), rest)
	case len(missing) > 1:
		return fmt.Errorf("%s are missing: %s%s", strings.Join(missing, " and "), cmd.CommandPath(), rest)
	case n >= len(args):
		return nil
	case cmd.HasSubCommands():
		return fmt.Errorf("there is no verb %q; \"%s --help\" lists them", args[n], cmd.CommandPath())
	}
	return fmt.Errorf("%q is one argument too many: %s%s", args[n], cmd.CommandPath(), rest)
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
