//go:build linux && amd64

package sweep

import "context"

// Again judges one device in the state that a crash left.
func Again(ctx context.Context, b Bench, opt Options, state string, s Story) (*Report, error) {
	r := begin(opt, "judge")
	if err := b.Reset(state); err != nil {
		return nil, err
	}
	end, err := r.judge(ctx, b, s, Next, state)
	if err == nil {
		r.report.ended(end)
	}
	return r.end(), err
}
