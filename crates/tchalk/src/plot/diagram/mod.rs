//! The diagram of a network: layers as boxes, edges between them, nested models as frames.

mod card;
mod labels;
mod layout;
mod node_kind;
mod panel;
#[cfg(test)]
mod samples;
mod scene;
mod structure;

pub use node_kind::NodeKind;

use crate::error::{Error, Result};
use crate::text::thousands;

/// One layer of a [`Diagram`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagramNode {
    id: String,
    title: String,
    subtitle: String,
    kind: NodeKind,
    frozen: bool,
    parameters: usize,
    group: Option<String>,
}

impl DiagramNode {
    /// A layer: its id, unique in the diagram, the name that is written, and its kind.
    pub fn new(id: impl Into<String>, title: impl Into<String>, kind: NodeKind) -> DiagramNode {
        DiagramNode {
            id: id.into(),
            title: title.into(),
            subtitle: String::new(),
            kind,
            frozen: false,
            parameters: 0,
            group: None,
        }
    }

    /// The layer's settings in short: `Conv2d 64 3×3 relu`.
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> DiagramNode {
        self.subtitle = subtitle.into();
        self
    }

    /// Whether its weights are frozen.
    pub fn frozen(mut self, frozen: bool) -> DiagramNode {
        self.frozen = frozen;
        self
    }

    /// The number of its parameters.
    pub fn parameters(mut self, count: usize) -> DiagramNode {
        self.parameters = count;
        self
    }

    /// The id of the nested model that it is part of.
    pub fn group(mut self, id: impl Into<String>) -> DiagramNode {
        self.group = Some(id.into());
        self
    }
}

/// A model inside the model of a [`Diagram`]: drawn as a frame around its layers, or as one box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagramGroup {
    id: String,
    title: String,
    frozen: bool,
    parameters: usize,
    parent: Option<String>,
    open: bool,
}

impl DiagramGroup {
    /// A nested model: its id, unique in the diagram, and the name that is written.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> DiagramGroup {
        DiagramGroup {
            id: id.into(),
            title: title.into(),
            frozen: false,
            parameters: 0,
            parent: None,
            open: true,
        }
    }

    /// Whether all its weights are frozen.
    pub fn frozen(mut self, frozen: bool) -> DiagramGroup {
        self.frozen = frozen;
        self
    }

    /// The number of its parameters.
    pub fn parameters(mut self, count: usize) -> DiagramGroup {
        self.parameters = count;
        self
    }

    /// The id of the model that it is nested in.
    pub fn group(mut self, id: impl Into<String>) -> DiagramGroup {
        self.parent = Some(id.into());
        self
    }
}

/// The edge from one layer, or nested model, to another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    shape: String,
}

/// A network as it is drawn: layers, the edges between them, nested models.
///
/// On a page the reader opens and closes nested models with a click. In a file they are open by
/// default; [`Diagram::collapsed`] and [`Diagram::collapse`] close them.
///
/// ```
/// use tchalk::plot::{Diagram, DiagramNode, NodeKind};
/// let diagram = Diagram::new("a small network")
///     .node(DiagramNode::new("in", "input_1", NodeKind::Input).subtitle("Input"))
///     .node(DiagramNode::new("out", "dense", NodeKind::Dense).subtitle("Dense 10"))
///     .edge("in", "out", "3,072");
/// assert_eq!(diagram.figure()?.description(), "a small network. input_1 → dense");
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Diagram {
    title: String,
    nodes: Vec<DiagramNode>,
    groups: Vec<DiagramGroup>,
    edges: Vec<Edge>,
}

impl Diagram {
    /// An empty diagram.
    pub fn new(title: impl Into<String>) -> Diagram {
        let (nodes, groups, edges) = (Vec::new(), Vec::new(), Vec::new());
        Diagram { title: title.into(), nodes, groups, edges }
    }

    /// Adds a layer.
    pub fn node(mut self, node: DiagramNode) -> Diagram {
        self.nodes.push(node);
        self
    }

    /// Adds a nested model.
    pub fn group(mut self, group: DiagramGroup) -> Diagram {
        self.groups.push(group);
        self
    }

    /// Adds an edge between two layers or nested models, by their ids, with the shape of the data as
    /// text: `64 × 32 × 32`.
    pub fn edge(
        mut self,
        from: impl Into<String>,
        to: impl Into<String>,
        shape: impl Into<String>,
    ) -> Diagram {
        self.edges.push(Edge { from: from.into(), to: to.into(), shape: shape.into() });
        self
    }

    /// Draws each nested model as one box.
    pub fn collapsed(mut self) -> Diagram {
        self.groups.iter_mut().for_each(|group| group.open = false);
        self
    }

    /// Draws each nested model as a frame around its layers.
    pub fn expanded(mut self) -> Diagram {
        self.groups.iter_mut().for_each(|group| group.open = true);
        self
    }

    /// Draws one nested model, found by its name or id, as a box.
    ///
    /// # Errors
    ///
    /// If no nested model has that name.
    pub fn collapse(mut self, name: &str) -> Result<Diagram> {
        let names: Vec<String> = self.groups.iter().map(|group| group.title.clone()).collect();
        let mut found = false;
        for group in &mut self.groups {
            if group.id == name || group.title == name {
                (group.open, found) = (false, true);
            }
        }
        match found {
            true => Ok(self),
            false => Err(Error::invalid(
                "Diagram::collapse",
                format!("one of {}", names.join(", ")),
                format!("{name:?}"),
                "",
            )),
        }
    }

    fn check(&self) -> Result<()> {
        let refuse = |expected: &str, got: String| {
            Err(Error::invalid(format!("diagram of {:?}", self.title), expected, got, ""))
        };
        if self.nodes.is_empty() {
            return refuse("at least one layer", "none".into());
        }
        let mut ids: Vec<&str> = self.nodes.iter().map(|node| node.id.as_str()).collect();
        ids.extend(self.groups.iter().map(|group| group.id.as_str()));
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse("a unique id for each part", format!("two {:?}", pair[0]));
        }
        let known = |id: &str| ids.binary_search(&id).is_ok();
        let ends = self.edges.iter().flat_map(|edge| [&edge.from, &edge.to]);
        if let Some(end) = ends.into_iter().find(|end| !known(end)) {
            return refuse("edges between parts of the diagram", format!("an edge to {end:?}"));
        }
        let groups = self.groups.iter().map(|group| (&group.id, &group.parent));
        let nodes = self.nodes.iter().map(|node| (&node.id, &node.group));
        let is_group = |id: &str| self.groups.iter().any(|group| group.id == id);
        for (id, parent) in groups.chain(nodes) {
            if let Some(parent) = parent.as_deref().filter(|parent| !is_group(parent)) {
                return refuse(
                    "layers and models nested in a model of the diagram",
                    format!("{id} in {parent:?}"),
                );
            }
        }
        for group in &self.groups {
            let parents = std::iter::successors(Some(group.id.as_str()), |id| self.parent_of(id));
            if parents.take(self.groups.len() + 1).count() > self.groups.len() {
                return refuse("models nested in one another", format!("{:?} in itself", group.id));
            }
        }
        Ok(())
    }

    /// The id of the nested model that a layer or nested model is part of.
    fn parent_of(&self, id: &str) -> Option<&str> {
        let node = self.nodes.iter().find(|node| node.id == id).map(|node| &node.group);
        let group = || self.groups.iter().find(|group| group.id == id).map(|group| &group.parent);
        node.or_else(group)?.as_deref()
    }

    /// The names of the layers, in order.
    fn node_titles(&self) -> String {
        const MOST: usize = 40;
        let names: Vec<&str> = self.nodes.iter().map(|node| node.title.as_str()).collect();
        match names.len() > MOST {
            true => format!(
                "{} → … ({} more) → {}",
                names[..MOST / 2].join(" → "),
                names.len() - MOST,
                names[names.len() - MOST / 2..].join(" → ")
            ),
            false => names.join(" → "),
        }
    }

    /// `13 layers`: how many layers a nested model has.
    fn layer_count(&self, group: &DiagramGroup) -> String {
        fn count(diagram: &Diagram, id: &str) -> usize {
            let inside = |parent: &Option<String>| parent.as_deref() == Some(id);
            let nested = diagram.groups.iter().filter(|group| inside(&group.parent));
            diagram.nodes.iter().filter(|node| inside(&node.group)).count()
                + nested.map(|group| count(diagram, &group.id)).sum::<usize>()
        }
        match count(self, &group.id) {
            1 => "1 layer".into(),
            n => format!("{} layers", thousands(n)),
        }
    }
}

impl std::fmt::Debug for Diagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "diagram of {}: {}", self.title, self.node_titles())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::Show;

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let node = |id: &str| DiagramNode::new(id, id, NodeKind::Other);
        let refused = |diagram: Diagram| diagram.figure().unwrap_err().to_string();
        assert!(refused(Diagram::new("a")).contains("at least one layer"));
        let two = Diagram::new("a").node(node("x")).node(node("x"));
        assert!(refused(two).contains("two \"x\""));
        let nowhere = Diagram::new("a").node(node("x")).edge("x", "y", "");
        assert!(refused(nowhere).contains("an edge to \"y\""));
        let circle = Diagram::new("a").node(node("x")).node(node("y"));
        let circle = circle.edge("x", "y", "").edge("y", "x", "");
        assert!(refused(circle).contains("cycle"));
        let lost = Diagram::new("a").node(node("x").group("g"));
        assert!(refused(lost).contains("x in \"g\""));
        let inside = Diagram::new("a").node(node("x").group("g"));
        let inside = inside.group(DiagramGroup::new("g", "g").group("g"));
        assert!(refused(inside).contains("in itself"));
    }

    #[test]
    fn a_page_has_both_states_and_a_file_one() {
        let combined = samples::combined();
        let html = combined.content().as_html().unwrap();
        assert_eq!(html.matches("<svg").count(), 2);
        assert!(html.contains("<details class=\"tchalk-diagram\" open>"), "{}", &html[..300]);
        let closed = combined.clone().collapsed().content().as_html().unwrap();
        assert!(closed.contains("<details class=\"tchalk-diagram\">"));
        assert!(combined.collapse("nobody").unwrap_err().to_string().contains("vgg16"));
    }
}
