package strict_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/strict"
)

// Empty values are refused wherever they stand, and nothing else is.
func TestEmptyValuesAreRefused(t *testing.T) {
	const flag, argument = "usage: --%s is empty: is a variable not set? give it a value, or leave it out", "usage: an argument is empty: is a variable not set?"
	for _, c := range []struct {
		line []string
		says string
	}{
		{[]string{"verb"}, ""},
		{[]string{"verb", "a", "--text", "x", "--list", "x", "--words", "x,y", "--above", "x", "--number", "0", "--yes=false"}, ""},
		{[]string{"verb", "a", "--text", " "}, ""},
		{[]string{"verb", ""}, argument},
		{[]string{"verb", "a", ""}, argument},
		{[]string{"verb", "--text", ""}, fmt.Sprintf(flag, "text")},
		{[]string{"verb", "--text="}, fmt.Sprintf(flag, "text")},
		{[]string{"verb", "--list", "x", "--list", ""}, fmt.Sprintf(flag, "list")},
		{[]string{"verb", "--words", ""}, fmt.Sprintf(flag, "words")},
		{[]string{"verb", "--words", "x,,y"}, fmt.Sprintf(flag, "words")},
		{[]string{"verb", "--above", ""}, fmt.Sprintf(flag, "above")},
		{[]string{"--above", "", "verb"}, fmt.Sprintf(flag, "above")},
	} {
		root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
		root.PersistentFlags().String("above", "", "")
		verb := &cobra.Command{Use: "verb", Args: cobra.ArbitraryArgs, RunE: func(*cobra.Command, []string) error { return nil }}
		verb.Flags().String("text", "", "")
		verb.Flags().Int("number", 1, "")
		verb.Flags().Bool("yes", true, "")
		verb.Flags().StringArray("list", nil, "")
		verb.Flags().StringSlice("words", nil, "")
		root.AddCommand(verb)
		strict.Arguments(root, func(err error) error {
			if err == nil {
				return nil
			}
			return fmt.Errorf("usage: %w", err)
		})
		root.SetArgs(c.line)
		root.SetOut(io.Discard)
		err := root.Execute()
		if c.says == "" {
			require.NoError(t, err, "%q", c.line)
			continue
		}
		require.EqualError(t, err, c.says, "%q", c.line)
	}
}

// A verb takes the arguments that its line of usage names. What is missing is called by
// the name that it has there.
func TestArgumentsAreThoseOfTheUsage(t *testing.T) {
	for _, c := range []struct {
		use, says string
		line      []string
	}{
		{"one BUNDLE", "", []string{"a"}},
		{"one BUNDLE", "BUNDLE is missing: program one BUNDLE", nil},
		{"one BUNDLE", `"b" is one argument too many: program one BUNDLE`, []string{"a", "b", "c"}},
		{"two A B", "", []string{"a", "b"}},
		{"two A B", "A and B are missing: program two A B", nil},
		{"two A B", "B is missing: program two A B", []string{"a"}},
		{"none", "", nil},
		{"none", `"a" is one argument too many: program none`, []string{"a"}},
		{"may [UPDATE]", "", nil},
		{"may [UPDATE]", "", []string{"a"}},
		{"may [UPDATE]", `"b" is one argument too many: program may [UPDATE]`, []string{"a", "b"}},
		{"any [VERSION...]", "", nil},
		{"any [VERSION...]", "", []string{"a", "b", "c"}},
		{"many FILE SIGNATURE...", "SIGNATURE is missing: program many FILE SIGNATURE...", []string{"a"}},
		{"many FILE SIGNATURE...", "", []string{"a", "b", "c"}},
		{"flag NAME --scope SCOPE[,SCOPE]", "", []string{"a"}},
		{"flag NAME --scope SCOPE[,SCOPE]", "NAME is missing: program flag NAME --scope SCOPE[,SCOPE]", nil},
		{"flag --why REASON", "", nil},
	} {
		verb := &cobra.Command{Use: c.use, RunE: func(*cobra.Command, []string) error { return nil }}
		err := refused(verb, append([]string{verb.Name()}, c.line...))
		if c.says == "" {
			require.NoError(t, err, "%s: %q", c.use, c.line)
			continue
		}
		require.EqualError(t, err, "usage: "+c.says, "%s: %q", c.use, c.line)
	}
}

// A verb that only has others below it refuses another one.
func TestUnknownVerbBelowAVerb(t *testing.T) {
	keys := func() *cobra.Command {
		verb := &cobra.Command{Use: "keys VERB", RunE: func(*cobra.Command, []string) error { return nil }}
		verb.AddCommand(&cobra.Command{Use: "list", RunE: verb.RunE})
		return verb
	}
	require.NoError(t, refused(keys(), []string{"keys"}))
	require.EqualError(t, refused(keys(), []string{"keys", "lisst"}), `usage: there is no verb "lisst"; "program keys --help" lists them`)
}

// refused is how a program with the verb answers a command line.
func refused(verb *cobra.Command, line []string) error {
	root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(verb)
	strict.Arguments(root, func(err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("usage: %w", err)
	})
	root.SetArgs(line)
	root.SetOut(io.Discard)
	return root.Execute()
}
