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
		{[]string{"verb", "a", "b", "c"}, "usage: accepts at most 2 arg(s), received 3"},
	} {
		root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
		root.PersistentFlags().String("above", "", "")
		verb := &cobra.Command{Use: "verb", Args: cobra.MaximumNArgs(2), RunE: func(*cobra.Command, []string) error { return nil }}
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
