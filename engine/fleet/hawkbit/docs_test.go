package hawkbit_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/ddi/dditest"
)

// The guide has the code by which operators find each kind of failure, and no other.
func TestTheGuideHasTheCodes(t *testing.T) {
	codes := regexp.MustCompile("\\| ([0-9]+) \\| `([0-9A-Z_]+)` ")
	for _, page := range []string{"fleet-hawkbit.md", "zh/fleet-hawkbit.md"} {
		text, err := os.ReadFile("../../../docs/" + page)
		require.NoError(t, err)
		all := map[int]string{}
		for _, m := range codes.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			all[n] = m[2]
		}
		require.Len(t, all, 31, page)
		all[99] = "OF_A_LATER_VERSION"
		for n, code := range all {
			w, o := assigned(t, dditest.Forced)
			notice := w.notice(o, "Failed", true)
			notice.Error = &journal.Failure{Code: code, Text: "why"}
			w.tell(notice)
			v := w.server.Action("1")
			require.Equal(t, n, v.Entries[len(v.Entries)-1].Code, "%s of %s", code, page)
		}
	}
}
