//! Forgets the lists of files that DataFusion caches for the session, so that files are listed
//! again.

use datafusion::catalog::Session;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::execution::cache::TableScopedPath;
use datafusion::execution::runtime_env::RuntimeEnv;

/// Forgets the list of files of one table, whose folder keeps changing.
pub(crate) fn forget_listed_files(session: &dyn Session, urls: &[ListingTableUrl]) {
    let Some(cache) = session.runtime_env().cache_manager.get_list_files_cache() else {
        return;
    };
    for url in urls {
        let (table, path) = (url.get_table_ref().clone(), url.prefix().clone());
        cache.remove(&TableScopedPath { table, path });
    }
}

/// Forgets the lists of files of all tables at, below or above `url`, after files there were
/// written.
pub(crate) fn forget_listed_files_below(runtime: &RuntimeEnv, url: &ListingTableUrl) {
    let Some(cache) = runtime.cache_manager.get_list_files_cache() else {
        return;
    };
    let place = url.prefix();
    for key in cache.list_entries().into_keys() {
        if key.path.prefix_matches(place) || place.prefix_matches(&key.path) {
            cache.remove(&key);
        }
    }
}
