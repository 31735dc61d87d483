package running_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service/servicetest"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/running"
	"github.com/tope/updater/steps/stepstest"
)

// When the context ends, the hook ends together with the processes that it started.
func TestAHookIsKilledWithItsProcessGroup(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	pids := d.Path("pids")
	require.NoError(t, syscall.Mkfifo(pids, 0o600))
	stepstest.Publish(t, d.Store, "1.1.0", map[string]string{"pre": "#!/bin/sh\nsleep 1000 &\necho $! > " + pids + "\nwait\n"},
		versions.Brought{Hooks: map[versions.Hook]string{versions.PreSwitch: "pre"}})
	c := clocktest.New()
	hooks := running.Hooks{Versions: d.Store, Manager: servicetest.NewFake(c), Clock: c}
	ctx, cancel := context.WithCancelCause(t.Context())
	child := make(chan int, 1)
	go func() {
		text, _ := os.ReadFile(pids) // opens when the hook opens it
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		child <- pid
		cancel(errors.New("enough"))
	}()
	ran, err := hooks.Run(ctx, stepstest.Task(t), "1.1.0", versions.PreSwitch)
	require.Equal(t, steps.Interrupted, steps.AsError(err).Class, "%v", err)
	require.NotEmpty(t, ran.Text)
	pid := <-child
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 10*time.Second, time.Millisecond, "what the hook started lives on")
}

func TestAVersionMadeByHandBringsNothing(t *testing.T) {
	d := stepstest.NewDevice(t, "")
	require.NoError(t, os.Mkdir(d.Store.Path("1.0.0"), 0o755))
	require.NoError(t, os.WriteFile(d.Store.Path("1.0.0")+"/x", nil, 0o600))
	for _, v := range []string{"", "1.0.0", "2.0.0"} {
		b, err := running.BroughtBy(d.Store, v)
		require.NoError(t, err)
		require.Equal(t, versions.Brought{}, b)
	}
	require.NoError(t, os.WriteFile(d.Store.Path("1.0.0")+"/"+versions.ManifestName, []byte("{"), 0o600))
	_, err := running.BroughtBy(d.Store, "1.0.0")
	require.ErrorIs(t, err, versions.ErrDamaged)
}
