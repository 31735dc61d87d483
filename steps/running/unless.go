package running

import (
	"context"
	"strings"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// lookEvery is how often Unless asks.
const lookEvery = time.Second

// Unless calls do, and each second pointless, which says why do is not to be waited for:
// then the context of do ends, and Unless returns what pointless has said.
func Unless(ctx context.Context, at clock.Clock, pointless func(context.Context) error, do func(context.Context) error) error {
	limited, end := context.WithCancelCause(ctx)
	defer end(nil)
	said := make(chan error, 1)
	go func() {
		defer close(said)
		for clock.Sleep(limited, at, lookEvery) == nil {
			if why := pointless(limited); why != nil && limited.Err() == nil {
				said <- why
				end(why)
				return
			}
		}
	}()
	err := do(limited)
	end(nil)
	if why := <-said; err != nil && why != nil && ctx.Err() == nil {
		return why
	}
	return err
}

// EndedOnce reports whether the main process of a service has ended by itself since its
// start was asked for, and has been or will be started again.
func EndedOnce(st service.Status) bool {
	return st.Restarts > 0 || strings.HasPrefix(st.Sub, "auto-restart")
}
