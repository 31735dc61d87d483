package running

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/command"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// HookTimeout is how long one run of a hook may take.
const HookTimeout = time.Minute

// HookRan is what the journal keeps of one run of a hook.
type HookRan struct {
	Hook versions.Hook `json:"hook"`
	// Version is the version that brings the hook, Path the program's path in it.
	Version string        `json:"version"`
	Path    string        `json:"path"`
	Took    time.Duration `json:"took_ns"`
	// Output is what the hook printed, without its middle when that is long.
	Output string `json:"output,omitempty"`
	// Text says why the hook failed; empty when it exited with 0.
	Text string `json:"text,omitempty"`
}

var _ steps.Detailed = (*command.Error)(nil)

// Hooks runs the programs that versions bring for certain moments of an update.
type Hooks struct {
	Versions Installed
	Manager  service.Manager
	Clock    clock.Clock
}

// Run runs a hook of a version on behalf of a task. ran is nil when the version
// has no such hook. A hook that fails, or takes longer than HookTimeout, is the
// version's fault (steps.Unhealthy), unless the system is stopping.
func (h Hooks) Run(ctx context.Context, t *steps.Task, version string, hook versions.Hook) (ran *HookRan, err error) {
	b, err := BroughtBy(h.Versions, version)
	if err != nil || b.Hooks[hook] == "" {
		return nil, err
	}
	ran = &HookRan{Hook: hook, Version: version, Path: b.Hooks[hook]}
	began := h.Clock.Monotonic()
	ran.Output, err = RunHook(ctx, h.Versions.Path(version), t, hook, ran.Path)
	ran.Took = h.Clock.Monotonic() - began
	if err == nil {
		return ran, nil
	}
	ran.Text = err.Error()
	err = fmt.Errorf("%s hook of version %s: %w", hook, version, err)
	if ctx.Err() != nil {
		return ran, steps.Stopped(ctx, "run the "+string(hook)+" hook of version "+version)
	}
	if down, serr := h.Manager.Stopping(ctx); serr == nil && down {
		return ran, &steps.Error{Class: steps.Interrupted, Code: steps.DeploymentFailed, Err: fmt.Errorf("the system is stopping: %w", err)}
	}
	return ran, &steps.Error{
		Class: steps.Unhealthy, Code: steps.DeploymentFailed, Err: err,
		Hint: "the hook is part of the release: correct it there and publish another version",
	}
}

// RunHook runs one program of the version in dir, with dir as its working directory
// and the environment that docs/hooks-and-data.md promises. After HookTimeout it
// kills the program with its process group.
func RunHook(ctx context.Context, dir string, t *steps.Task, hook versions.Hook, path string) (output string, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, HookTimeout, fmt.Errorf("it took longer than %s", HookTimeout))
	defer cancel()
	env := []string{
		"TOPE_UPDATE=" + t.Update, "TOPE_FROM=" + t.Before.Current, "TOPE_TO=" + t.Target.Current,
		"TOPE_VERSION_DIR=" + dir, "TOPE_HOOK=" + string(hook),
	}
	// The path goes through the version's own directory, not through current: this
	// version's program has to run, whatever current leads to.
	output, err = command.RunEnv(limited, dir, env, filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil && limited.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(limited), err)
	}
	return output, err
}
