package engine

import (
	"context"

	"github.com/tope/updater/journal"
)

type askerKey struct{}

// AskedBy returns a context for requests of somebody: Install, Proceed, Cancel, Rollback,
// RestoreFactory, Unquarantine and Exclusive journal who it was.
func AskedBy(ctx context.Context, who *journal.Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, who)
}

// Asker is who asks; nil when the caller has not said.
func Asker(ctx context.Context) *journal.Asker {
	who, _ := ctx.Value(askerKey{}).(*journal.Asker)
	return who
}
