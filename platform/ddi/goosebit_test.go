package ddi_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/ddi"
)

// TestGoosebit has answers of goosebit 0.2.12, where they are not hawkBit's: the id of an
// action is the software's, there are no ETags, and SHA-1 is the only digest.
func TestGoosebit(t *testing.T) {
	const (
		registered = `{"config":{"polling":{"sleep":"00:00:30"}},"_links":{"deploymentBase":{"href":"` + me + `/deploymentBase/1"}}}`
		idle       = `{"config":{"polling":{"sleep":"00:00:30"}},"_links":{}}`
		consists   = `{"id":"1","deployment":{"download":"forced","update":"forced","chunks":[{"part":"os","version":"1.2.0","name":"app-1.2.0.swu","artifacts":[{"filename":"app-1.2.0.swu","hashes":{"sha1":"c6b039f93b136f2c6de45a275693e98f19a2ed96"},"size":300544,"_links":{"download":{"href":"` + me + `/download"}}}]}]}}`
		unread     = `{"detail":[{"type":"enum","loc":["body","status","execution"],"msg":"Input should be 'closed'","input":"nonsense"}]}`
	)
	a, err := answering(t, 200, registered).Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, a.Sleep)
	require.Equal(t, &ddi.Link{Action: "1"}, a.Deployment)

	c := answering(t, 200, idle)
	for range 2 { // without an ETag nothing is ever unchanged
		a, err = c.Poll(t.Context())
		require.NoError(t, err)
		require.Equal(t, ddi.Answer{Sleep: 30 * time.Second}, a)
	}
	d, err := answering(t, 200, consists).Deployment(t.Context(), ddi.Link{Action: "1"})
	require.NoError(t, err)
	require.Contains(t, d.Unfit, "the artifact app-1.2.0.swu is of another kind")

	require.NoError(t, answering(t, 200, `{"id":"1"}`).Feedback(t.Context(), telling("1", ddi.Succeeded)))
	fails(t, answering(t, 422, unread).Feedback(t.Context(), telling("1", "nonsense")), ddi.Refused)
	require.NoError(t, answering(t, 200, `{"success":true,"message":"Updated swupdate data."}`).PutAttributes(t.Context(), nil))

	// What was assigned is gone by the time that it is looked at.
	_, err = answering(t, 200, `null`).Deployment(t.Context(), ddi.Link{Action: "1"})
	fails(t, err, ddi.Outage)
}
