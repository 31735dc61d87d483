package bundle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle"
)

// CheckLinks agrees with the kernel: what it refuses cannot be opened in a real tree for
// another reason than that the target is missing, and the other way round.
func TestCheckLinks(t *testing.T) {
	chain := map[string]string{}
	for i := range 45 {
		chain[fmt.Sprintf("l%02d", i)] = fmt.Sprintf("l%02d", i+1)
	}
	short := map[string]string{}
	for i := range 30 {
		short[fmt.Sprintf("l%02d", i)] = fmt.Sprintf("l%02d", i+1)
	}
	for name, c := range map[string]struct {
		links map[string]string
		says  string
	}{
		"sound":                     {map[string]string{"a": "d/f", "d/b": "../f", "c": "d", "e": "c/f"}, ""},
		"missing":                   {map[string]string{"a": "nothing", "b": "d/nothing/at/all", "c": "a"}, ""},
		"of one":                    {map[string]string{"d/a": "../d/a"}, `"d/a": its target "../d/a" cannot be reached: it leads in a cycle`},
		"of two":                    {map[string]string{"b": "a", "a": "b"}, `link "a"`},
		"through a directory":       {map[string]string{"d/a": "../l/a", "l": "d"}, `link "d/a"`},
		"below a file":              {map[string]string{"a": "f/x"}, `below "f"`},
		"below a file, by a link":   {map[string]string{"a": "b/x", "b": "f"}, `link "a": its target "b/x" cannot be reached: it leads below "f"`},
		"a directory with a slash":  {map[string]string{"a": "d/"}, ""},
		"up from a linked place":    {map[string]string{"l": "d", "d/a": "f"}, ""},
		"more than the kernel goes": {chain, "through more than"},
		"a chain":                   {short, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
			types := map[string]bundle.Type{"d": bundle.Dir, "d/f": bundle.File, "f": bundle.File}
			for _, f := range []string{"d/f", "f"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, f), nil, 0o600))
			}
			opens := true
			for link, target := range c.links {
				require.NoError(t, bundle.CheckTarget(link, target, bundle.DefaultLimits()))
				require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
				types[link] = bundle.Link
			}
			for link := range c.links {
				if _, err := os.Stat(filepath.Join(dir, link)); err != nil && !os.IsNotExist(err) {
					opens = false
				}
			}
			err := bundle.CheckLinks(c.links, func(p string) (bundle.Type, bool) { typ, ok := types[p]; return typ, ok })
			require.Equal(t, opens, err == nil, "%v", err)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
			}
		})
	}
}
