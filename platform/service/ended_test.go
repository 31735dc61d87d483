package service_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

func TestHowAServiceEndedInWords(t *testing.T) {
	for want, st := range map[string]service.Status{
		"exit status 0": {Result: "success"},
		"exit status 7": {Result: "exit-code", ExitStatus: 7},
		"exit status 203/EXEC (its program cannot be executed)":           {Result: "exit-code", ExitStatus: 203},
		"exit status 200/CHDIR (its WorkingDirectory= cannot be entered)": {Result: "exit-code", ExitStatus: 200},
		"exit status 217/USER (its User= cannot be used)":                 {Result: "exit-code", ExitStatus: 217},
		"exit status 201/NICE":                              {Result: "exit-code", ExitStatus: 201},
		"killed by SIGKILL":                                 {Result: "signal", ExitStatus: 137},
		"crashed by SIGSEGV":                                {Result: "core-dump", ExitStatus: 139},
		"killed by a signal":                                {Result: "signal", ExitStatus: 1},
		"killed for want of memory (oom-kill)":              {Result: "oom-kill", ExitStatus: 137},
		"a command of its start or stop failed (exit-code)": {Result: "exit-code"},
		"it was started too often (start-limit-hit), at last: exit status 3": {Result: "start-limit-hit", ExitStatus: 3},
		"new-word, exit status 1": {Result: "new-word", ExitStatus: 1},
	} {
		require.Equal(t, want, st.Ended())
	}
}
