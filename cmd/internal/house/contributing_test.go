package house_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// CONTRIBUTING.md names files and folders that are there.
func TestContributingNamesWhatIsThere(t *testing.T) {
	named := regexp.MustCompile("`((?:cmd|engine|steps|journal|platform|deploy|docs|testdata|tools|\\.ci)/[^`]*)`")
	found := named.FindAllStringSubmatch(read(t, "CONTRIBUTING.md"), -1)
	require.NotEmpty(t, found)
	for _, m := range found {
		if strings.Contains(m[1], "NAME") || strings.Contains(m[1], "VERB") {
			continue // to be added
		}
		if _, err := os.Stat("../../../" + m[1]); err != nil {
			t.Errorf("CONTRIBUTING.md names %s, which is not there", m[1])
		}
	}
}
