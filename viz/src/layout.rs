//! A tree of containers and views, sent as rerun's blueprint.
//!
//! Rerun's own builder leaves out the properties of plots and 3-D views (legend, axes, eye), so this writes the
//! same entities itself: `container/<id>`, `view/<id>` and `view/<id>/<property>`.

use rerun::external::re_log_types::BlueprintActivationCommand;
use rerun::external::re_sdk_types::blueprint::archetypes as drawn;
use rerun::external::re_sdk_types::blueprint::components::{
    ContainerKind, LoopMode, PanelState, PlayState, QueryExpression,
};
use rerun::external::uuid::Uuid;
use rerun::log::LogMsg;
use rerun::{AsComponents, EntityPath, RecordingStream, RecordingStreamBuilder, RecordingStreamResult};

/// Settings of a view, each named as rerun names its archetype, for example `PlotLegend`.
pub(crate) type Properties = Vec<(&'static str, Box<dyn AsComponents>)>;

/// A part of the window.
pub(crate) enum Node {
    /// Parts behind tabs, `front` being the one to see first.
    Tabs { name: String, front: usize, children: Vec<Node> },
    /// Parts side by side or one above the other.
    Split {
        kind: ContainerKind,
        name: String,
        /// Sizes of the children relative to each other, where not equal.
        shares: Option<Vec<f32>>,
        children: Vec<Node>,
    },
    /// A view of the entities below `origin`.
    View { class: &'static str, name: String, origin: EntityPath, properties: Properties },
}

/// Sends `root` as the blueprint of `application`, with its first timeline and the state of the panels around.
pub(crate) fn send(
    stream: &RecordingStream,
    application: &'static str,
    timeline: &'static str,
    root: &Node,
) -> RecordingStreamResult<()> {
    let (blueprint, storage) = RecordingStreamBuilder::new(application).enabled(true).blueprint().memory()?;
    blueprint.set_time_sequence("blueprint", 0);
    let (_, id) = log(&blueprint, root)?;
    let viewport =
        drawn::ViewportBlueprint::new().with_root_container(id).with_auto_layout(false).with_auto_views(false);
    blueprint.log("viewport", &viewport)?;
    let panel = |state| drawn::PanelBlueprint::new().with_state(state);
    blueprint.log("blueprint_panel", &panel(PanelState::Collapsed))?;
    blueprint.log("selection_panel", &panel(PanelState::Collapsed))?;
    let time = drawn::TimePanelBlueprint::new()
        .with_state(PanelState::Collapsed)
        .with_timeline(timeline)
        .with_play_state(PlayState::Playing)
        .with_loop_mode(LoopMode::All);
    blueprint.log("time_panel", &time)?;
    let messages = storage.take();
    if let Some(id) = messages.first().map(LogMsg::store_id).cloned() {
        let activation = BlueprintActivationCommand { blueprint_id: id, make_active: true, make_default: true };
        stream.send_blueprint(messages, activation);
    }
    Ok(())
}

/// Logs `node` and what it holds; returns its entity and id.
fn log(stream: &RecordingStream, node: &Node) -> RecordingStreamResult<(EntityPath, [u8; 16])> {
    let id = Uuid::new_v4();
    let inside = |children: &[Node]| -> RecordingStreamResult<Vec<String>> {
        children.iter().map(|child| Ok(log(stream, child)?.0.to_string())).collect()
    };
    let path = match node {
        Node::View { .. } => EntityPath::from(format!("view/{id}")),
        _ => EntityPath::from(format!("container/{id}")),
    };
    match node {
        Node::Tabs { name, front, children } => {
            let children = inside(children)?;
            let mut tabs = drawn::ContainerBlueprint::new(ContainerKind::Tabs).with_display_name(name.as_str());
            if let Some(front) = children.get(*front) {
                tabs = tabs.with_active_tab(front.as_str());
            }
            stream.log(path.clone(), &tabs.with_contents(children))?;
        }
        Node::Split { kind, name, shares, children } => {
            let mut split = drawn::ContainerBlueprint::new(*kind).with_display_name(name.as_str());
            split = split.with_contents(inside(children)?);
            if let Some(shares) = shares {
                split = match kind {
                    ContainerKind::Vertical => split.with_row_shares(shares.iter().copied()),
                    _ => split.with_col_shares(shares.iter().copied()),
                };
            }
            stream.log(path.clone(), &split)?;
        }
        Node::View { class, name, origin, properties } => {
            let view = drawn::ViewBlueprint::new(*class).with_display_name(name.as_str());
            stream.log(path.clone(), &view.with_space_origin(origin.to_string()))?;
            let contents = drawn::ViewContents::new([QueryExpression::from("$origin/**")]);
            stream.log(path.join(&"ViewContents".into()), &contents)?;
            for (name, property) in properties {
                stream.log(path.join(&(*name).into()), property.as_ref())?;
            }
        }
    }
    Ok((path, id.into_bytes()))
}
