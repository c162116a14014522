//! The files of the pages for people, as they are built into the server: `host/ui`, each with its type, its mark and,
//! where that makes it smaller, a compressed form. What a page shows it asks the API for, as every other client does.

/// One file.
#[derive(Clone, Copy)]
pub struct Asset {
    /// Below `/ui/`.
    pub path: &'static str,
    pub content_type: &'static str,
    /// An `ETag`: another one as soon as the content is.
    pub mark: &'static str,
    pub plain: &'static [u8],
    /// By gzip.
    pub compressed: Option<&'static [u8]>,
}

impl std::fmt::Debug for Asset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asset({}, {} bytes)", self.path, self.plain.len())
    }
}

/// The page that the others are reached from.
pub const FIRST_PAGE: &str = "index.html";

/// The page that explains the API.
pub const REFERENCE: &str = "docs.html";

include!(concat!(env!("OUT_DIR"), "/ui_assets.rs"));

/// The file with this path below `/ui/`.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_brings_code_of_its_own_or_from_elsewhere() {
        let mut pages = 0;
        for asset in ASSETS {
            let text = String::from_utf8_lossy(asset.plain);
            for (start, _) in text.match_indices("://") {
                let scheme = text.get(..start).unwrap_or_default();
                let is_loaded = scheme.ends_with("src=\"https") || scheme.ends_with("from \"https");
                assert!(!is_loaded, "{} loads from elsewhere", asset.path);
            }
            if asset.path.ends_with(".html") {
                pages += 1;
                for inline in ["<style", "style=", "<script>", "onclick=", "javascript:"] {
                    assert!(!text.contains(inline), "{} has {inline}", asset.path);
                }
            }
        }
        assert!(pages > 0 && find(FIRST_PAGE).is_some());
    }

    #[test]
    fn the_first_page_is_small() {
        let size = |asset: &Asset| asset.compressed.unwrap_or(asset.plain).len();
        let all: usize = ASSETS.iter().map(size).sum();
        assert!(all < 100_000, "{all} bytes");
    }
}
