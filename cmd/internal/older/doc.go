// Package older tries an updater of the past, built from the repository's
// history, on what the present one leaves behind: after a rollback the older
// program has to follow the newer one's journal. It has tests only.
package older
