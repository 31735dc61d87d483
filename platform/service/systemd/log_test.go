package systemd_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/systemd"
)

const journalJSON = `{"_BOOT_ID":"a","__MONOTONIC_TIMESTAMP":"9000000","MESSAGE":"of another boot"}
{"_BOOT_ID":"b","__MONOTONIC_TIMESTAMP":"1000000","MESSAGE":"of the run before"}
{"_BOOT_ID":"b","__MONOTONIC_TIMESTAMP":"5000000","_PID":"1","MESSAGE":"Started api.service"}
{"_BOOT_ID":"b","__MONOTONIC_TIMESTAMP":"5100000","_PID":"11","MESSAGE":"two\nlines"}
{"_BOOT_ID":"b","__MONOTONIC_TIMESTAMP":"5200000","MESSAGE":[104,105,27,255]}
{"_BOOT_ID":"b","__MONOTONIC_TIMESTAMP":"5300000","MESSAGE":null}
not JSON
{"_BOOT_ID":"b","MESSAGE":"of no time"}
`

func TestTailOfSystemdsJournal(t *testing.T) {
	var asked [][]string
	var fail error
	m := systemd.New(systemd.Config{Journalctl: func(_ context.Context, args ...string) ([]byte, error) {
		asked = append(asked, args)
		if slices.Contains(args, "--sync") {
			return nil, errors.New("an old systemd")
		}
		if !slices.Contains(args, "-u") {
			return []byte(`{"_BOOT_ID":"b","MESSAGE":"the newest of all"}`), fail
		}
		return []byte(journalJSON), fail
	}})
	defer m.Close()
	api := service.Service{Name: "api"}
	lines, err := m.Tail(t.Context(), api, 2*time.Second, 10)
	require.NoError(t, err)
	require.Equal(t, []service.LogLine{{Text: "Started api.service", About: true}, {Text: "two"}, {Text: "lines"}, {Text: "hi\x1b\xff"}, {}}, lines)
	require.Equal(t, []string{"--sync"}, asked[0], "what was just printed is waited for")
	require.Contains(t, strings.Join(asked[2], " "), "-u api.service")
	lines, err = m.Tail(t.Context(), api, 2*time.Second, 2)
	require.NoError(t, err)
	require.Equal(t, []service.LogLine{{Text: "hi\x1b\xff"}, {}}, lines)
	fail = errors.New("no such file")
	_, err = m.Tail(t.Context(), api, 0, 2)
	require.ErrorIs(t, err, fail)
}
